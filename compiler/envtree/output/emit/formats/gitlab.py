"""A file for `artifacts:reports:dotenv` of GitLab: later jobs get the variables."""

import re
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, Excess, Variables, plain_lines

# What GitLab cuts off: Ruby's blanks.
_ENDS = re.compile(r"\A[\t\n\v\f\r ]|[\t\n\v\f\r ]\Z")
# GitLab and its runners put other variables in where these stand.
_EXPANDED = re.compile(r"\$|%%|%[A-Za-z_][A-Za-z0-9_]*%")
_LONGEST_NAME = 255
# The limits of an instance as it is installed; gitlab.com has higher ones for the number.
_SIZE = 5 * 1024
_COUNT = 20


def gitlab(given: Variables) -> bytes:
    """Values as they are: there are neither quotes nor comments."""
    return plain_lines(given, "=", comments=False)


def refusal(name: str, text: str) -> str:
    """What GitLab would cut off, put something else in for, or take for another line."""
    if "\n" in text:
        return "its value has a line break"
    if _ENDS.search(text):
        return "its value begins or ends with a blank"
    if _EXPANDED.search(text):
        return "its value has a '$' or a '%', in whose place GitLab puts variables"
    return "its name is too long" if len(name) > _LONGEST_NAME else ""


def excess(given: Variables, files: tuple[bytes, ...]) -> Iterator[Excess]:
    """More than GitLab takes before somebody changes its limits."""
    size, count = len(files[0]), len(given.texts)
    hint = "write fewer variables, or raise the limit of the instance"
    if size >= _SIZE:
        yield Excess(False, f"'env.gitlab' has {size} bytes, and GitLab takes less than {_SIZE}", hint)
    if count > _COUNT:
        message = f"'env.gitlab' has {count} variables, and GitLab takes {_COUNT} (on gitlab.com 50 or more)"
        yield Excess(False, message, hint)


DIALECT = Dialect((gitlab,), refusal, excess=excess, process=True)
