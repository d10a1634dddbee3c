"""Stage ``score``: the metrics of one cell, with intervals over clusters."""
