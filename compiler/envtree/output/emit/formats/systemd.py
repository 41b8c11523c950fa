"""A file for `EnvironmentFile=` of a systemd unit."""

import re

from envtree.output.emit.dialect import Dialect, WriterInput, format_lines

_ESCAPES = str.maketrans({special: f"\\{special}" for special in '\\"$`'})


# What Unicode keeps free for ever; for one of them systemd drops the whole file.
_NONCHARACTERS = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)


def systemd(env: WriterInput) -> bytes:
    """Every value in double quotes, line breaks as they are."""
    return format_lines(env, lambda name, text: f'{name}="{text.translate(_ESCAPES)}"')


def rejection_reason(_: str, text: str) -> str:
    """What systemd takes for no Unicode at all."""
    return "its value has a character that is none in Unicode" if _NONCHARACTERS.search(text) else ""


DIALECT = Dialect((systemd,), rejection_reason, starts_process=True)
