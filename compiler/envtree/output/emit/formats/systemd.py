"""A file for `EnvironmentFile=` of a systemd unit."""

import re

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

_ESCAPES = str.maketrans({special: f"\\{special}" for special in '\\"$`'})


# Unicode noncharacters; systemd ignores the whole file if it contains one.
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def systemd(env: WriterInput) -> bytes:
    """Return every value in double quotes, line breaks unchanged."""
    return format_lines(env, lambda name, text: f'{name}="{text.translate(_ESCAPES)}"')


def rejection_reason(_: str, text: str) -> str:
    """Return why systemd refuses the characters of a value, or ""."""
    return "its value has a character that is none in Unicode" if _NONCHARACTERS.search(text) else ""


DIALECT = Dialect((systemd,), rejection_reason, starts_process=True)
