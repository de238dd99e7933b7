"""``python -m ostinato``: the same as the command ``ostinato``."""

from .cli import main

if __name__ == "__main__":
    main()
