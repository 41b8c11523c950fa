"""A file that all readers of `NAME=value` lines take for the same: of values only those that none of them changes."""

import re

from envtree.output.emit.dialect import Dialect, Variables, plain_lines
from envtree.output.emit.formats import bash, docker, github, gitlab, systemd

_SPECIAL = re.compile(r"""[\t\n\r "#$&'();<>\\`|~]""")
_PICKY = (bash.DIALECT, docker.DIALECT, systemd.DIALECT, github.GITHUB_ENV, gitlab.DIALECT)
_OTHERS = tuple(each.refusal for each in _PICKY if each.refusal)


def portable(given: Variables) -> bytes:
    """Values as they are, and no comments: GitHub and GitLab know none."""
    return plain_lines(given, "=", comments=False)


def refusal(name: str, text: str) -> str:
    """What means something to one of the readers."""
    if _SPECIAL.search(text):
        return "its value has a blank, a quote, or a sign such as '#' or '$'"
    # Each reader has a list of blanks of its own.
    if text != text.strip() or text != text.strip("\ufeff"):
        return "its value begins or ends with a blank"
    return next((why for refused in _OTHERS if (why := refused(name, text))), "")


DIALECT = Dialect((portable,), refusal, process=False)
