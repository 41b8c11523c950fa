"""Run the command line with `python -m envtree`."""

from envtree.cli import main

if __name__ == "__main__":
    main()
