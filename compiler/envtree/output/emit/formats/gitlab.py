"""A file for `artifacts:reports:dotenv` of GitLab: later jobs get the variables."""

import re
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput, format_plain_lines

# What GitLab cuts off: Ruby's blanks.
_EDGE_BLANK = re.compile(r"\A[\t\n\v\f\r ]|[\t\n\v\f\r ]\Z")
# GitLab and its runners put other variables in where these stand.
_EXPANSION = re.compile(r"\$|%%|%[A-Za-z_][A-Za-z0-9_]*%")
_MAX_NAME_LENGTH = 255
# The limits of an instance as it is installed; gitlab.com has higher ones for the number.
_MAX_SIZE = 5 * 1024
_MAX_COUNT = 20


def gitlab(env: WriterInput) -> bytes:
    """Values as they are: there are neither quotes nor comments."""
    return format_plain_lines(env, "=", comments=False)


def rejection_reason(name: str, text: str) -> str:
    """What GitLab would cut off, put something else in for, or take for another line."""
    if "\n" in text:
        return "its value has a line break"
    if _EDGE_BLANK.search(text):
        return "its value begins or ends with a blank"
    if _EXPANSION.search(text):
        return "its value has a '$' or a '%', in whose place GitLab puts variables"
    return "its name is too long" if len(name) > _MAX_NAME_LENGTH else ""


def check_size(env: WriterInput, files: tuple[bytes, ...]) -> Iterator[SizeLimit]:
    """More than GitLab takes before somebody changes its limits."""
    size, count = len(files[0]), len(env.texts)
    hint = "write fewer variables, or raise the limit of the instance"
    if size >= _MAX_SIZE:
        yield SizeLimit(False, f"'env.gitlab' has {size} bytes, and GitLab takes less than {_MAX_SIZE}", hint)
    if count > _MAX_COUNT:
        message = f"'env.gitlab' has {count} variables, and GitLab takes {_MAX_COUNT} (on gitlab.com 50 or more)"
        yield SizeLimit(False, message, hint)


DIALECT = Dialect((gitlab,), rejection_reason, check_size=check_size, starts_process=True)
