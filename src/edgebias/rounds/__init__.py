"""The over-time question: the same forced choice asked again and again, with and without a memory of the answers."""
