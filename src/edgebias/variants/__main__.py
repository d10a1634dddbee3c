"""``python -m edgebias.variants``: full, build, transformers."""

from edgebias.errors import run_stage
from edgebias.variants.cli import main

if __name__ == "__main__":
    run_stage(main)
