"""Guard against secrets on stdout: they are shown on a terminal only, unless `--force` is given."""

import sys

from envtree.cli.support.options import usage_error


def check_reveal(subject: str, *, force: bool) -> None:
    """Raise a usage error if stdout is a pipe or a file, where secrets could end up unnoticed; `force` allows it."""
    if not force and not sys.stdout.isatty():
        raise usage_error(f"{subject} shows secrets, and stdout is not a terminal", "use --force if that is meant")
