"""Which folder may be an output: not the tree, not a link, not another user's, not what git tracks."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from envtree.artifact import Output
from envtree.diagnostic import Refusal
from envtree.layout import ROOT

_INPUTS = frozenset(ROOT.folders) | {".git"}


def output_path(output: Output, tracked: Callable[[Path], bool]) -> str:
    """The absolute path of the output, or a Refusal."""
    path = Path(os.path.abspath(output.folder))
    # What leads to the output may be links (`/tmp` often is one); the output itself may not.
    path = path.parent.resolve() / path.name
    _check_place(path, output)
    _check_folder(path, output)
    if output.mode == "plain" and tracked(path):
        raise Refusal(
            "ET801",
            f"git tracks files in '{output.folder}', and plain bundles hold secrets",
            "choose another folder, take it out with 'git rm -r --cached', or compile with --secrets ref",
        )
    return str(path)


def _check_place(path: Path, output: Output) -> None:
    root = output.root.resolve()
    hint = "choose a folder of its own, such as 'out'"
    if root.is_relative_to(path):
        raise Refusal("ET806", f"the output '{output.folder}' holds the tree itself", hint)
    if path.is_relative_to(root) and path.relative_to(root).parts[0] in _INPUTS:
        raise Refusal("ET806", f"the output '{output.folder}' is inside a folder of the tree's own files", hint)


def _check_folder(path: Path, output: Output) -> None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISLNK(found.st_mode):
        raise Refusal("ET806", f"the output '{output.folder}' is a symbolic link", "name the folder it points to")
    if not stat.S_ISDIR(found.st_mode):
        raise Refusal("ET806", f"the output '{output.folder}' is not a folder", "choose another name")
    if found.st_uid != os.geteuid():
        raise Refusal("ET806", f"the output '{output.folder}' belongs to another user", "choose a folder of your own")
