"""A file for `docker run --env-file` and `kubectl create --from-env-file`: values are unquoted text after `=`."""

from envtree.output.emit.dialect import Dialect, WriterInput, format_plain_lines

# Both read lines with Go's bufio.Scanner, whose buffer must contain the whole line with its end.
_BUFFER_SIZE = 64 * 1024


def docker(env: WriterInput) -> bytes:
    """Return the values unchanged."""
    return format_plain_lines(env, "=")


def rejection_reason(name: str, text: str) -> str:
    """Return why a value does not fit into one line, or ""; line ends cannot be escaped."""
    if "\n" in text:
        return "its value has a line break"
    if text.endswith("\r"):
        return "its value ends in a carriage return"
    return (
        f"its line is longer than {_BUFFER_SIZE - 1} bytes" if len(f"{name}={text}\n".encode()) > _BUFFER_SIZE else ""
    )


DIALECT = Dialect((docker,), rejection_reason, starts_process=True)
