"""Replace the generated part of a file, between two comments; the text outside stays byte for byte."""

import re
from typing import NamedTuple

from envtree.model.diagnostic import RefusedError

_BEGIN = "# >>> envtree secrets sync: generated, change organization.yaml or project.yaml instead >>>"
_END = "# <<< envtree secrets sync <<<"
_MARKER = re.compile(r"^([ \t]*)# (>>>|<<<) envtree secrets sync\b[^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)


class BlockParts(NamedTuple):
    """The text before and after the block, and the indentation of its lines."""

    before: str
    indent: str
    after: str

    def render(self, lines: list[str]) -> str:
        """Return the whole text with these lines in the block."""
        end = line_ending(self.before + self.after)
        block = "".join(f"{self.indent}{line}".rstrip() + end for line in (_BEGIN, *lines, _END))
        return self.before + block + self.after


def split_at_block(text: str, path: str) -> BlockParts | None:
    """Split a text at its block; None if it has none, RefusedError if the comments do not pair up."""
    markers = list(_MARKER.finditer(text))
    if not markers:
        return None
    if [marker[2] for marker in markers] != [">>>", "<<<"]:
        hint = "leave one pair of them, or none"
        raise RefusedError("ET808", f"the comments around the generated part of '{path}' do not pair up", hint)
    begin, end = markers
    return BlockParts(text[: begin.start()], begin[1], text[end.end() :])


def line_ending(text: str) -> str:
    """Return the line ending of a text."""
    return "\r\n" if "\r\n" in text else "\n"
