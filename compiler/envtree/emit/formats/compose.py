"""`.env` as Docker Compose reads it."""

import re

from envtree.emit.dialect import Dialect, Variables, lines

_SPECIAL = re.compile('[\\\\"$\\n\\r]')
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})


def compose(given: Variables) -> bytes:
    """Every value in double quotes, without substitution."""
    if _SPECIAL.search(given.joined):
        return lines(given, lambda name, text: f'{name}="{quoted(text)}"')
    return lines(given, lambda name, text: f'{name}="{text}"')


def quoted(text: str) -> str:
    """What stands between double quotes for a text."""
    return text.translate(_ESCAPES)


DIALECT = Dialect((compose,), process=True)
