"""Render changes as a diff, for review before they are made."""

import re
from collections.abc import Iterable, Iterator
from difflib import unified_diff

from envtree.diagnostics.printable import printable_lines
from envtree.refactor.fix.file_changes import FileEdit, FileRename

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_NO_NEWLINE = "\\ No newline at end of file"


def render_diff(changes: Iterable[FileEdit | FileRename]) -> str:
    """Return a unified diff, with git's headers for renamed files, escaped for terminals and CI logs."""
    changes = tuple(changes)
    new_paths = {change.path: change.new_path for change in changes if isinstance(change, FileRename)}
    edited_paths = {change.path for change in changes if isinstance(change, FileEdit)}
    lines: list[str] = []
    for change in changes:
        if isinstance(change, FileEdit):
            lines += _edit_diff(change, new_paths.get(change.path))
        elif change.path not in edited_paths:
            lines += _rename_header(change.path, change.new_path)
    return printable_lines("".join(f"{line}\n" for line in lines))


def _rename_header(path: str, new_path: str) -> list[str]:
    return [f"diff --git a/{path} b/{new_path}", f"rename from {path}", f"rename to {new_path}"]


def _edit_diff(edit: FileEdit, new_path: str | None) -> Iterator[str]:
    if new_path:
        yield from _rename_header(edit.path, new_path)
    before, after = (_LINE.findall(data.decode("utf-8", "replace")) for data in (edit.before, edit.after))
    for line in unified_diff(before, after, f"a/{edit.path}", f"b/{new_path or edit.path}"):
        # Line ends are never changed, so those of Windows need not be shown.
        yield line.removesuffix("\n").removesuffix("\r")
        if not line.endswith("\n"):
            yield _NO_NEWLINE
