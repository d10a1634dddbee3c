"""Run the stage: ``python -m edgebias.score_rounds``."""

from edgebias.errors import run_stage
from edgebias.score_rounds.main import main

if __name__ == "__main__":
    run_stage(main)
