"""A file for bash, dash and direnv to source; its text can also be passed to `eval`."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines
from envtree.output.emit.shell_names import computed_reason


def bash(env: WriterInput) -> bytes:
    """Return every value in single quotes, in which only the closing quote is special."""
    return format_lines(env, lambda name, text: f"export {name}={quote(text)}")


def quote(text: str) -> str:
    """Return a text as one word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def rejection_reason(name: str, _: str) -> str:
    """Return why bash cannot be given a name, or ""; all values are allowed."""
    return computed_reason(name)


DIALECT = Dialect((bash,), rejection_reason, starts_process=True, is_read_by_shell=True)
