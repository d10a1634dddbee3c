"""What a metric is, its bounds, and the scorers of written texts; the metrics of a suite are in its folder."""
