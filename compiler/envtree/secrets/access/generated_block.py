"""The part of a file that envtree writes, between two comments; what is outside of them stays byte by byte."""

import re
from typing import NamedTuple

from envtree.model.diagnostic import RefusedError

_BEGIN = "# >>> envtree secrets sync: generated, change organization.yaml or project.yaml instead >>>"
_END = "# <<< envtree secrets sync <<<"
_MARKER = re.compile(r"^([ \t]*)# (>>>|<<<) envtree secrets sync\b[^\r\n]*(?:\r?\n|\Z)", re.MULTILINE)


class BlockParts(NamedTuple):
    """A text before and behind the block, and how far its lines are indented."""

    before: str
    indent: str
    after: str

    def render(self, lines: list[str]) -> str:
        """The whole text with other lines in the block."""
        end = line_ending(self.before + self.after)
        block = "".join(f"{self.indent}{line}".rstrip() + end for line in (_BEGIN, *lines, _END))
        return self.before + block + self.after


def split_at_block(text: str, path: str) -> BlockParts | None:
    """The parts of a text that has a block, None for one without; a Refusal if the comments do not pair up."""
    found = list(_MARKER.finditer(text))
    if not found:
        return None
    if [one[2] for one in found] != [">>>", "<<<"]:
        hint = "leave one pair of them, or none"
        raise RefusedError("ET808", f"the comments around the generated part of '{path}' do not pair up", hint)
    begin, end = found
    return BlockParts(text[: begin.start()], begin[1], text[end.end() :])


def line_ending(text: str) -> str:
    """How the lines of a text end."""
    return "\r\n" if "\r\n" in text else "\n"
