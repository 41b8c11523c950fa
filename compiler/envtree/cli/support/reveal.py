"""Who may see secrets on stdout: somebody at a terminal, or whoever asks for them in so many words."""

import sys

from envtree.cli.support.options import usage_error


def check_reveal(subject: str, *, force: bool) -> None:
    """Refuse to write secrets into a pipe or a file, where nobody sees that they are."""
    if not force and not sys.stdout.isatty():
        raise usage_error(f"{subject} shows secrets, and stdout is not a terminal", "use --force if that is meant")
