"""Where a model runs: llama.cpp, transformers, or an OpenAI-compatible endpoint, behind one protocol."""
