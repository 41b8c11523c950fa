"""The entry point of `envtree` and of `python -m envtree`."""

import signal
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line and exit the process."""
    # Until the command installs its handlers, Ctrl-C ends the process; Python would print a traceback of the imports.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from envtree.cli import main as command  # noqa: PLC0415 -- the import takes most of the start-up time

    command()


if __name__ == "__main__":
    main()
