"""Run the command line: as `envtree`, and as `python -m envtree`."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    # Until the command listens, Ctrl-C simply ends the process; Python would print where it was importing.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from envtree.cli import main as command  # noqa: PLC0415 -- the import is what takes time

    command()


if __name__ == "__main__":
    main()
