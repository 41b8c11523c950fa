"""Changes as people read them before they are made."""

import re
from collections.abc import Iterable, Iterator
from difflib import unified_diff

from envtree.diagnostics.printable import printable_lines
from envtree.refactor.fix.file_changes import FileEdit, FileRename

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NO_NEWLINE = "\\ No newline at end of file"


def render_diff(changes: Iterable[FileEdit | FileRename]) -> str:
    """A unified diff, in git's form for a file that gets another name, and escaped for terminals and CI logs."""
    changes = tuple(changes)
    names = {change.path: change.new_path for change in changes if isinstance(change, FileRename)}
    edited = {change.path for change in changes if isinstance(change, FileEdit)}
    lines: list[str] = []
    for change in changes:
        if isinstance(change, FileEdit):
            lines += _edit_diff(change, names.get(change.path))
        elif change.path not in edited:
            lines += _rename_header(change.path, change.new_path)
    return printable_lines("".join(f"{line}\n" for line in lines))


def _rename_header(path: str, new: str) -> list[str]:
    return [f"diff --git a/{path} b/{new}", f"rename from {path}", f"rename to {new}"]


def _edit_diff(edit: FileEdit, new: str | None) -> Iterator[str]:
    if new:
        yield from _rename_header(edit.path, new)
    before, after = (_LINE.findall(data.decode("utf-8", "replace")) for data in (edit.before, edit.after))
    for line in unified_diff(before, after, f"a/{edit.path}", f"b/{new or edit.path}"):
        # The ends of lines are never changed, so that of Windows need not be seen.
        yield line.removesuffix("\n").removesuffix("\r")
        if not line.endswith("\n"):
            yield _NO_NEWLINE
