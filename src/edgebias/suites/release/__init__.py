"""What is published with the forced-choice suite."""
