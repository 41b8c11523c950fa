"""Read the content of a commit from git's objects, without a checkout and without running filters."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.model.diagnostic import MachineError
from envtree.system.git.process import find_git, run_git

_OBJECT_ID_LINE = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")


class UnknownRevisionError(Exception):
    """The repository does not have the commit; in a shallow clone, it may be missing only locally."""

    def __init__(self, revision: str, *, is_shallow: bool) -> None:
        super().__init__(revision)
        self.revision, self.is_shallow = revision, is_shallow


class Blob(NamedTuple):
    """A file of a commit: git's mode, the id of its content, and its size.

    The size is -1 if the content is not available: for a submodule, and for an object omitted from a partial clone.
    """

    mode: str
    id: str
    size: int


def resolve_commit(repository: Path, revision: str) -> str:
    """Return the id of the commit that a revision names; raise UnknownRevisionError if there is none."""
    id = _rev_parse(repository, revision)
    # `^{commit}` is appended to an id: appended to the user's text, it could change its meaning.
    commit = id and _rev_parse(repository, f"{id}^{{commit}}")
    if not commit:
        # In a broken repository, where no revision is known either, `_is_shallow` raises.
        raise UnknownRevisionError(revision, is_shallow=_is_shallow(repository))
    return commit


def find_merge_base(repository: Path, first: str, second: str) -> str | None:
    """Return the last common ancestor of two commits, None if there is none."""
    git = find_git(repository, "what two revisions have in common")
    return _parse_object_id(run_git(git, repository, ("merge-base", first, second)))


def list_files(repository: Path, commit: str, folder: str) -> dict[str, Blob]:
    """Return the files below a folder of a commit by their path in the folder; empty if the folder does not exist."""
    git = find_git(repository, f"what '{folder or '.'}' holds at '{commit}'")
    prefix = f"{folder}/" if folder else ""
    # `literal` because the name of a folder may begin with a colon.
    pathspec = (f":(literal){prefix}",) if folder else ()
    answer = run_git(git, repository, ("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *pathspec))
    blobs: dict[str, Blob] = {}
    for line in answer.split(b"\0")[:-1]:
        attributes, _, path = line.partition(b"\t")
        mode, _, id, size = attributes.decode().split()
        blobs[os.fsdecode(path).removeprefix(prefix)] = Blob(mode, id, int(size) if size.isdecimal() else -1)
    return blobs


def find_blob(repository: Path, commit: str, path: str) -> Blob | None:
    """Return one file of a commit by its path from the root of the repository, None if it is not a file."""
    git = find_git(repository, f"whether there is '{path}' at '{commit}'")
    answer = run_git(git, repository, ("ls-tree", "-z", "-l", "--full-tree", commit, f":(literal){path}"))
    mode, kind, id, size = (answer.partition(b"\t")[0].decode() or "- - - -").split()
    return Blob(mode, id, int(size) if size.isdecimal() else -1) if kind == "blob" else None


def read_blobs(repository: Path, ids: Iterable[str]) -> dict[str, bytes]:
    """Return the contents of blobs by id; raise MachineError if the repository lacks one."""
    unique_ids = list(dict.fromkeys(ids))
    if not unique_ids:
        return {}
    git = find_git(repository, "what files held")
    request = "".join(f"{id}\n" for id in unique_ids).encode()
    answer = run_git(git, repository, ("cat-file", "--batch", "--buffer"), request)
    contents: dict[str, bytes] = {}
    start = 0
    for id in unique_ids:
        end = answer.index(b"\n", start)
        header = answer[start:end].split()
        if len(header) != 3:
            raise MachineError("ET805", f"the repository '{repository}' lacks the object {id}", "fetch it with git")
        start = end + 1 + int(header[2]) + 1
        contents[id] = answer[end + 1 : start - 1]
    return contents


def _rev_parse(repository: Path, name: str) -> str | None:
    git = find_git(repository, f"what '{name}' is")
    return _parse_object_id(run_git(git, repository, ("rev-parse", "--quiet", "--verify", "--end-of-options", name)))


def _parse_object_id(answer: bytes) -> str | None:
    return answer.decode().strip() if _OBJECT_ID_LINE.fullmatch(answer) else None


def _is_shallow(repository: Path) -> bool:
    git = find_git(repository, "how much history there is")
    return run_git(git, repository, ("rev-parse", "--is-shallow-repository")) == b"true\n"
