"""Files for `node --env-file` and for the npm package dotenv, whose readers are nearly the same."""

import re
from collections.abc import Callable
from functools import partial

from envtree.output.emit.dialect import Dialect, Variables, lines

# Without quotes a line ends the value, '#' begins a comment, and a quote at the beginning is one.
_NOT_BARE = re.compile(r"""[\r\n#]|\A['"`]|\A\Z""")

# The ways to write a text, None where it cannot be written that way.
Spelling = Callable[[str], str | None]


def _raw(quote: str, text: str) -> str | None:
    """There are no escapes in single quotes and in backquotes."""
    return None if quote in text or "\r" in text else f"{quote}{text}{quote}"


def _before_quote(quote: str, text: str) -> str | None:
    """The npm package takes a backslash before the quote as its escape, and leaves it there."""
    return None if text.endswith("\\") else _raw(quote, text)


def _double(text: str) -> str | None:
    """In double quotes `\\n` becomes a line break."""
    return None if "\\" in text else _raw('"', text)


def _double_escaped(text: str) -> str | None:
    """The npm package knows `\\r`, too."""
    return None if "\\" in text or '"' in text else f'"{text}"'.replace("\r", "\\r").replace("\n", "\\n")


def _bare(text: str) -> str | None:
    # What each of them takes for a blank and cuts off, the other may leave.
    return None if _NOT_BARE.search(text) or text != text.strip() or text != text.strip("\ufeff") else text


_NODE = (partial(_raw, "'"), partial(_raw, "`"), _double, _bare)
_NPM = (partial(_before_quote, "'"), partial(_before_quote, "`"), _double_escaped, _bare)


def _spelt(spellings: tuple[Spelling, ...], text: str) -> str | None:
    return next((found for spell in spellings if (found := spell(text)) is not None), None)


def _dialect(spellings: tuple[Spelling, ...], *, returns: str) -> Dialect:
    def write(given: Variables) -> bytes:
        """Every value in the first of the ways that keep it."""
        return lines(given, lambda name, text: f"{name}={_spelt(spellings, text)}")

    def refusal(_: str, text: str) -> str:
        """What no way keeps."""
        if _spelt(spellings, text) is not None:
            return ""
        return returns if "\r" in text else "its value has quotes of several kinds, and there is no escape for them"

    return Dialect((write,), refusal, process=False)


NODE = _dialect(_NODE, returns="its value has a carriage return")
NPM_DOTENV = _dialect(_NPM, returns="its value has a carriage return beside a backslash or double quotes")
