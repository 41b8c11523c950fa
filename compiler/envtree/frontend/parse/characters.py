"""Decode files: UTF-8 of limited size, without characters that hide or reorder text."""

import re
from unicodedata import name as unicode_name

from envtree.frontend.parse.parse_report import FatalParseError, ParseReport, mark_at
from envtree.model.span import FILE_START, Mark

MAX_FILE_BYTES = 1024 * 1024
MAX_SCALAR = 64 * 1024
_MAX_FINDINGS = 20

_BOM = b"\xef\xbb\xbf"
# Almost every file contains nothing else, and deleting these bytes is the cheapest check for it.
_PRINTABLE_ASCII = bytes([0x0A, *range(0x20, 0x7F)])

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = "\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff\U000e0000-\U000e007f"
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029"
_NONCHARACTERS = "\ud800-\udfff\ufffe\uffff"

# Control characters that people may type or paste; Unicode has no names for them.
_CONTROL_NAMES = {
    **{"\0": "NULL", "\a": "BELL", "\b": "BACKSPACE", "\v": "LINE TABULATION", "\f": "FORM FEED"},
    **{
        "\t": "TAB",
        "\n": "LINE FEED",
        "\r": "CARRIAGE RETURN",
        "\x1b": "ESCAPE",
        "\x7f": "DELETE",
        "\x85": "NEXT LINE",
    },
}

_FORBIDDEN_RAW = re.compile(f"(?!\r\n)[{_CONTROL}{_BIDI}{_INVISIBLE}{_NONCHARACTERS}]")
_FORBIDDEN_ESCAPED = re.compile(f"[\x00{_BIDI}{_INVISIBLE}{_NONCHARACTERS}]")
_FORBIDDEN_IN_KEY = re.compile(f"[\t\n{_CONTROL}{_BIDI}{_INVISIBLE}{_NONCHARACTERS}]")


def decode(data: bytes, report: ParseReport) -> str | None:
    """Return the text of a file; report and return None if it is too large, not UTF-8 or has forbidden characters."""
    if len(data) > MAX_FILE_BYTES:
        report.add(
            FILE_START, "ET109", f"the file has {len(data)} bytes, expected at most {MAX_FILE_BYTES}", "split it"
        )
        return None
    if data.startswith(_BOM):
        report.add(FILE_START, "ET112", "the file begins with a byte order mark", "save it as UTF-8 without one")
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        at = mark_at(data[: error.start].decode(), error.start)
        report.add(at, "ET112", "found bytes that are not UTF-8", "save the file as UTF-8")
        return None
    if data.translate(None, _PRINTABLE_ASCII) and _report_forbidden(text, report):
        return None
    return text


def _report_forbidden(text: str, report: ParseReport) -> bool:
    matches = [match for match, _ in zip(_FORBIDDEN_RAW.finditer(text), range(_MAX_FINDINGS), strict=False)]
    for match in matches:
        name, hint = _describe_character(match.group())
        report.add(mark_at(text, match.start()), "ET108", f"found the character {name}", hint)
    return bool(matches)


def forbidden_escape_message(text: str) -> str:
    """Return the problem with a text that was written with escapes, or an empty string."""
    match = _FORBIDDEN_ESCAPED.search(text)
    return f"found an escape for the character {_describe_character(match.group())[0]}" if match else ""


def forbidden_key_message(key: str) -> str:
    """Return the problem with a quoted key, or an empty string."""
    match = _FORBIDDEN_IN_KEY.search(key)
    return f"found the character {_describe_character(match.group())[0]} in a key" if match else ""


def check_length(text: str, at: Mark) -> None:
    """Raise FatalParseError for a text that is larger than its budget."""
    if len(text) > MAX_SCALAR:
        message = f"found a text of more than {MAX_SCALAR} characters"
        raise FatalParseError(at, "ET109", message, "keep it in a file of its own")


def _describe_character(char: str) -> tuple[str, str]:
    name = unicode_name(char, "") or _CONTROL_NAMES.get(char, "")
    label = f"U+{ord(char):04X}" + (f" ({name})" if name else "")
    if re.match(f"[{_BIDI}]", char):
        return label, "remove it, it changes the direction of the text"
    if re.match(f"[{_INVISIBLE}]", char):
        return label, "remove it, it is invisible"
    if char == "\r":
        return label, "end lines with LF or CR LF"
    if char == "\0":
        return label, "remove it, it ends texts in other programs"
    return label, "remove it, or write it as an escape in double quotes"
