"""``python -m edgebias`` is ``edgebias``."""

from edgebias.cli import main

if __name__ == "__main__":
    main()
