"""A file that all readers of `NAME=value` lines take for the same: of values only those that none of them changes."""

import re

from envtree.output.emit.dialect import Dialect, WriterInput, format_plain_lines
from envtree.output.emit.formats import bash, docker, github, gitlab, systemd

_SPECIAL = re.compile(r"""[\t\n\r "#$&'();<>\\`|~]""")
_STRICT_DIALECTS = (bash.DIALECT, docker.DIALECT, systemd.DIALECT, github.GITHUB_ENV, gitlab.DIALECT)
_REJECTION_CHECKS = tuple(each.rejection_reason for each in _STRICT_DIALECTS if each.rejection_reason)


def portable(env: WriterInput) -> bytes:
    """Values as they are, and no comments: GitHub and GitLab know none."""
    return format_plain_lines(env, "=", comments=False)


def rejection_reason(name: str, text: str) -> str:
    """What means something to one of the readers."""
    if _SPECIAL.search(text):
        return "its value has a blank, a quote, or a sign such as '#' or '$'"
    # Each reader has a list of blanks of its own.
    if text != text.strip() or text != text.strip("\ufeff"):
        return "its value begins or ends with a blank"
    return next((why for refused in _REJECTION_CHECKS if (why := refused(name, text))), "")


DIALECT = Dialect((portable,), rejection_reason, starts_process=False)
