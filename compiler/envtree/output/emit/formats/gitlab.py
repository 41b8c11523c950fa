"""A file for `artifacts:reports:dotenv` of GitLab, which passes the variables to later jobs."""

import re
from collections.abc import Iterator

from envtree.output.emit.dialect import Dialect, SizeLimit, WriterInput, format_plain_lines

# Blanks (as Ruby defines them) that GitLab strips.
_EDGE_BLANK = re.compile(r"\A[\t\n\v\f\r ]|[\t\n\v\f\r ]\Z")
# Text that GitLab and its runners expand to variables.
_EXPANSION = re.compile(r"\$|%%|%[A-Za-z_][A-Za-z0-9_]*%")
_MAX_NAME_LENGTH = 255
# Default limits of an instance; gitlab.com allows more variables.
_MAX_SIZE = 5 * 1024
_MAX_COUNT = 20


def gitlab(env: WriterInput) -> bytes:
    """Return the values unchanged: the format has neither quotes nor comments."""
    return format_plain_lines(env, "=", comments=False)


def rejection_reason(name: str, text: str) -> str:
    """Return why GitLab would strip, expand or split a value, or ""."""
    if "\n" in text:
        return "its value has a line break"
    if _EDGE_BLANK.search(text):
        return "its value begins or ends with a blank"
    if _EXPANSION.search(text):
        return "its value has a '$' or a '%', in whose place GitLab puts variables"
    return "its name is too long" if len(name) > _MAX_NAME_LENGTH else ""


def check_size(env: WriterInput, files: tuple[bytes, ...]) -> Iterator[SizeLimit]:
    """Yield the default limits of GitLab that the file exceeds."""
    size, count = len(files[0]), len(env.texts)
    hint = "write fewer variables, or raise the limit of the instance"
    if size >= _MAX_SIZE:
        yield SizeLimit(False, f"'env.gitlab' has {size} bytes, and GitLab takes less than {_MAX_SIZE}", hint)
    if count > _MAX_COUNT:
        message = f"'env.gitlab' has {count} variables, and GitLab takes {_MAX_COUNT} (on gitlab.com 50 or more)"
        yield SizeLimit(False, message, hint)


DIALECT = Dialect((gitlab,), rejection_reason, check_size=check_size, starts_process=True, is_read_by_shell=True)
