"""A file for `docker run --env-file` and `kubectl create --from-env-file`: what stands behind `=` is the value."""

from envtree.output.emit.dialect import Dialect, Variables, plain_lines

# Both read lines with Go's bufio.Scanner, into a buffer of this size, in which the line has to end.
_BUFFER = 64 * 1024


def docker(given: Variables) -> bytes:
    """Values as they are."""
    return plain_lines(given, "=")


def refusal(name: str, text: str) -> str:
    """A line has an end, and there is no other spelling for it."""
    if "\n" in text:
        return "its value has a line break"
    if text.endswith("\r"):
        return "its value ends in a carriage return"
    return f"its line is longer than {_BUFFER - 1} bytes" if len(f"{name}={text}\n".encode()) > _BUFFER else ""


DIALECT = Dialect((docker,), refusal, process=True)
