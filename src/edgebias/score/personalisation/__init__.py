"""Does it matter who asks? The score of arXiv 2406.11107 with its noise floor, and which identity differs."""
