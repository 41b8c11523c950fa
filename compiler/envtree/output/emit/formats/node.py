"""Files for `node --env-file` and for the npm package dotenv, whose syntax is nearly the same."""

import re
from collections.abc import Callable
from functools import partial

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

# In an unquoted value, a line end ends it, '#' begins a comment, and a quote at its beginning opens a quoted value.
_NEEDS_QUOTES = re.compile(r"""[\r\n#]|\A['"`]|\A\Z""")

# Write a text in one way; None if that way cannot represent it.
ValueEncoder = Callable[[str], str | None]


def _encode_raw(quote: str, text: str) -> str | None:
    """Quote a text with single quotes or backquotes, which have no escapes."""
    return None if quote in text or "\r" in text else f"{quote}{text}{quote}"


def _encode_raw_npm(quote: str, text: str) -> str | None:
    """Quote a text for the npm package, which takes a backslash before the closing quote for an escape."""
    return None if text.endswith("\\") else _encode_raw(quote, text)


def _encode_double(text: str) -> str | None:
    """Quote a text with double quotes, in which `\\n` becomes a line break."""
    return None if "\\" in text else _encode_raw('"', text)


def _encode_double_npm(text: str) -> str | None:
    """Quote a text with double quotes for the npm package, which also knows `\\r`."""
    return None if "\\" in text or '"' in text else f'"{text}"'.replace("\r", "\\r").replace("\n", "\\n")


def _encode_bare(text: str) -> str | None:
    # The two readers strip different blanks, so refuse all of them.
    return None if _NEEDS_QUOTES.search(text) or text != text.strip() or text != text.strip("\ufeff") else text


_NODE_ENCODERS = (partial(_encode_raw, "'"), partial(_encode_raw, "`"), _encode_double, _encode_bare)
_NPM_ENCODERS = (partial(_encode_raw_npm, "'"), partial(_encode_raw_npm, "`"), _encode_double_npm, _encode_bare)


def _encode(encoders: tuple[ValueEncoder, ...], text: str) -> str | None:
    return next((encoded for encode in encoders if (encoded := encode(text)) is not None), None)


def _make_dialect(encoders: tuple[ValueEncoder, ...], *, carriage_return_reason: str) -> Dialect:
    def write(env: WriterInput) -> bytes:
        """Return every value in the first encoding that preserves it."""
        return format_lines(env, lambda name, text: f"{name}={_encode(encoders, text)}")

    def rejection_reason(_: str, text: str) -> str:
        """Return why no encoding preserves a value, or ""."""
        if _encode(encoders, text) is not None:
            return ""
        return (
            carriage_return_reason
            if "\r" in text
            else "its value has quotes of several kinds, and there is no escape for them"
        )

    return Dialect((write,), rejection_reason, starts_process=False)


NODE = _make_dialect(_NODE_ENCODERS, carriage_return_reason="its value has a carriage return")
NPM_DOTENV = _make_dialect(
    _NPM_ENCODERS, carriage_return_reason="its value has a carriage return beside a backslash or double quotes"
)
