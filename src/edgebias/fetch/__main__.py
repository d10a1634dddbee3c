"""``python -m edgebias.fetch model|benchmarks``."""

from edgebias.errors import run_stage
from edgebias.fetch.stage import main

if __name__ == "__main__":
    run_stage(main)
