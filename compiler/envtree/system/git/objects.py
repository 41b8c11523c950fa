"""What a repository holds at a commit, read from its objects: nothing is checked out, no filter runs."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.model.diagnostic import MachineError
from envtree.system.git.process import find_git, run_git

_OBJECT_ID_LINE = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\n")


class UnknownRevisionError(Exception):
    """The repository has no such commit; in a `shallow` clone it may only be missing here."""

    def __init__(self, revision: str, *, is_shallow: bool) -> None:
        super().__init__(revision)
        self.revision, self.is_shallow = revision, is_shallow


class Blob(NamedTuple):
    """A file of a commit: git's mode, the id of its content, and its size, -1 where the content is not at hand.

    That of a submodule never is, nor what a partial clone has left out.
    """

    mode: str
    id: str
    size: int


def resolve_commit(repository: Path, revision: str) -> str:
    """The id of the commit that a revision names; raises UnknownRevision."""
    found = _rev_parse(repository, revision)
    # The peeling is asked of an id: appended to the user's words it could become a part of them.
    commit = found and _rev_parse(repository, f"{found}^{{commit}}")
    if not commit:
        # This fails in a repository that is broken, where no revision is known either.
        raise UnknownRevisionError(revision, is_shallow=_is_shallow(repository))
    return commit


def find_merge_base(repository: Path, first: str, second: str) -> str | None:
    """The last commit that two commits have in common."""
    git = find_git(repository, "what two revisions have in common")
    return _parse_object_id(run_git(git, repository, ("merge-base", first, second)))


def list_files(repository: Path, commit: str, folder: str) -> dict[str, Blob]:
    """The files below a folder of a commit, by their paths in it; none if there is no such folder."""
    git = find_git(repository, f"what '{folder or '.'}' holds at '{commit}'")
    inside = f"{folder}/" if folder else ""
    # `literal` because a folder's name may begin with a colon.
    only = (f":(literal){inside}",) if folder else ()
    answer = run_git(git, repository, ("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *only))
    found: dict[str, Blob] = {}
    for line in answer.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, id, size = about.decode().split()
        found[os.fsdecode(path).removeprefix(inside)] = Blob(mode, id, int(size) if size.isdecimal() else -1)
    return found


def find_blob(repository: Path, commit: str, path: str) -> Blob | None:
    """One file of a commit, by its path from the root of the repository."""
    git = find_git(repository, f"whether there is '{path}' at '{commit}'")
    answer = run_git(git, repository, ("ls-tree", "-z", "-l", "--full-tree", commit, f":(literal){path}"))
    mode, kind, id, size = (answer.partition(b"\t")[0].decode() or "- - - -").split()
    return Blob(mode, id, int(size) if size.isdecimal() else -1) if kind == "blob" else None


def read_blobs(repository: Path, ids: Iterable[str]) -> dict[str, bytes]:
    """The contents of blobs by their ids; a Failure if the repository lacks one."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    git = find_git(repository, "what files held")
    answer = run_git(git, repository, ("cat-file", "--batch", "--buffer"), "".join(f"{id}\n" for id in wanted).encode())
    found: dict[str, bytes] = {}
    at = 0
    for id in wanted:
        end = answer.index(b"\n", at)
        header = answer[at:end].split()
        if len(header) != 3:
            raise MachineError("ET805", f"the repository '{repository}' lacks the object {id}", "fetch it with git")
        at = end + 1 + int(header[2]) + 1
        found[id] = answer[end + 1 : at - 1]
    return found


def _rev_parse(repository: Path, name: str) -> str | None:
    git = find_git(repository, f"what '{name}' is")
    return _parse_object_id(run_git(git, repository, ("rev-parse", "--quiet", "--verify", "--end-of-options", name)))


def _parse_object_id(answer: bytes) -> str | None:
    return answer.decode().strip() if _OBJECT_ID_LINE.fullmatch(answer) else None


def _is_shallow(repository: Path) -> bool:
    git = find_git(repository, "how much history there is")
    return run_git(git, repository, ("rev-parse", "--is-shallow-repository")) == b"true\n"
