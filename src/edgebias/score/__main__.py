"""Run the stage: ``python -m edgebias.score``."""

from edgebias.errors import run_stage
from edgebias.score.main import main

if __name__ == "__main__":
    run_stage(main)
