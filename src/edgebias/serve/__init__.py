"""An OpenAI-compatible endpoint for a GGUF whose bias is corrected while it serves."""
