"""Files for `node --env-file` and for the npm package dotenv, whose readers are nearly the same."""

import re
from collections.abc import Callable
from functools import partial

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

# Without quotes a line ends the value, '#' begins a comment, and a quote at the beginning is one.
_NEEDS_QUOTES = re.compile(r"""[\r\n#]|\A['"`]|\A\Z""")

# The ways to write a text, None where it cannot be written that way.
ValueEncoder = Callable[[str], str | None]


def _encode_raw(quote: str, text: str) -> str | None:
    """There are no escapes in single quotes and in backquotes."""
    return None if quote in text or "\r" in text else f"{quote}{text}{quote}"


def _encode_raw_npm(quote: str, text: str) -> str | None:
    """The npm package takes a backslash before the quote as its escape, and leaves it there."""
    return None if text.endswith("\\") else _encode_raw(quote, text)


def _encode_double(text: str) -> str | None:
    """In double quotes `\\n` becomes a line break."""
    return None if "\\" in text else _encode_raw('"', text)


def _encode_double_npm(text: str) -> str | None:
    """The npm package knows `\\r`, too."""
    return None if "\\" in text or '"' in text else f'"{text}"'.replace("\r", "\\r").replace("\n", "\\n")


def _encode_bare(text: str) -> str | None:
    # What each of them takes for a blank and cuts off, the other may leave.
    return None if _NEEDS_QUOTES.search(text) or text != text.strip() or text != text.strip("\ufeff") else text


_NODE_ENCODERS = (partial(_encode_raw, "'"), partial(_encode_raw, "`"), _encode_double, _encode_bare)
_NPM_ENCODERS = (partial(_encode_raw_npm, "'"), partial(_encode_raw_npm, "`"), _encode_double_npm, _encode_bare)


def _encode(encoders: tuple[ValueEncoder, ...], text: str) -> str | None:
    return next((found for spell in encoders if (found := spell(text)) is not None), None)


def _make_dialect(encoders: tuple[ValueEncoder, ...], *, carriage_return_reason: str) -> Dialect:
    def write(given: WriterInput) -> bytes:
        """Every value in the first of the ways that keep it."""
        return format_lines(given, lambda name, text: f"{name}={_encode(encoders, text)}")

    def refusal(_: str, text: str) -> str:
        """What no way keeps."""
        if _encode(encoders, text) is not None:
            return ""
        return (
            carriage_return_reason
            if "\r" in text
            else "its value has quotes of several kinds, and there is no escape for them"
        )

    return Dialect((write,), refusal, starts_process=False)


NODE = _make_dialect(_NODE_ENCODERS, carriage_return_reason="its value has a carriage return")
NPM_DOTENV = _make_dialect(
    _NPM_ENCODERS, carriage_return_reason="its value has a carriage return beside a backslash or double quotes"
)
