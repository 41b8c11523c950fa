"""A file that all readers of `NAME=value` lines read alike; values that one of them would change are refused."""

import re

from envtree.output.emit.dialect import Dialect, WriterInput, format_plain_lines
from envtree.output.emit.formats import bash, docker, github, gitlab, systemd

_SPECIAL = re.compile(r"""[\t\n\r "#$&'();<>\\`|~]""")
_STRICT_DIALECTS = (bash.DIALECT, docker.DIALECT, systemd.DIALECT, github.GITHUB_ENV, gitlab.DIALECT)
_REJECTION_CHECKS = tuple(dialect.rejection_reason for dialect in _STRICT_DIALECTS if dialect.rejection_reason)


def portable(env: WriterInput) -> bytes:
    """Return the values unchanged, without comments: GitHub and GitLab know none."""
    return format_plain_lines(env, "=", comments=False)


def rejection_reason(name: str, text: str) -> str:
    """Return why one of the readers would change or refuse a value, or ""."""
    if _SPECIAL.search(text):
        return "its value has a blank, a quote, or a sign such as '#' or '$'"
    # Each reader strips its own set of blanks.
    if text != text.strip() or text != text.strip("\ufeff"):
        return "its value begins or ends with a blank"
    return next((reason for check in _REJECTION_CHECKS if (reason := check(name, text))), "")


DIALECT = Dialect((portable,), rejection_reason, starts_process=False, is_read_by_shell=True)
