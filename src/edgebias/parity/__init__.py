"""The parity gate: the same weights must give the same log-probabilities in two backends."""
