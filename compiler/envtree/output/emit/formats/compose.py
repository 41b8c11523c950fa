"""`.env` as Docker Compose reads it."""

from envtree.output.emit.dialect import Dialect, Variables, lines, plain_lines

_SPECIAL = {"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"}
_ESCAPES = str.maketrans(_SPECIAL)


def compose(given: Variables) -> bytes:
    """Every value in double quotes, without substitution."""
    joined = given.joined
    if any(special in joined for special in _SPECIAL):
        return lines(given, lambda name, text: f'{name}="{quoted(text)}"')
    return plain_lines(given, '="', '"\n')


def quoted(text: str) -> str:
    """What stands between double quotes for a text."""
    return text.translate(_ESCAPES)


DIALECT = Dialect((compose,), process=True)
