"""``python -m edgebias.prompts``."""

from edgebias.errors import run_stage
from edgebias.prompts.stage import main

if __name__ == "__main__":
    run_stage(main)
