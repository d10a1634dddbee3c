"""Run the stage: ``python -m edgebias.compare``."""

from edgebias.compare.main import main
from edgebias.errors import run_stage

if __name__ == "__main__":
    run_stage(main)
