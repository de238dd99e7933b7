"""``python -m benchmarks``."""

from .command import main

# A contender's process imports this file again, under another name.
if __name__ == "__main__":
    main()
