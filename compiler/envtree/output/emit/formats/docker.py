"""A file for `docker run --env-file` and `kubectl create --from-env-file`: what stands behind `=` is the value."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_plain_lines

# Both read lines with Go's bufio.Scanner, into a buffer of this size, in which the line has to end.
_BUFFER_SIZE = 64 * 1024


def docker(env: WriterInput) -> bytes:
    """Values as they are."""
    return format_plain_lines(env, "=")


def rejection_reason(name: str, text: str) -> str:
    """A line has an end, and there is no other spelling for it."""
    if "\n" in text:
        return "its value has a line break"
    if text.endswith("\r"):
        return "its value ends in a carriage return"
    return (
        f"its line is longer than {_BUFFER_SIZE - 1} bytes" if len(f"{name}={text}\n".encode()) > _BUFFER_SIZE else ""
    )


DIALECT = Dialect((docker,), rejection_reason, starts_process=True)
