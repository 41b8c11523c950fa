"""Hold the receipt of an output against the repository: whether the commit has the files that it was made from."""

from collections.abc import Iterator
from pathlib import Path

from envtree.delivery.receipt import committed_files
from envtree.delivery.verify.problem import Problem
from envtree.model.artifact import Receipt
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.system.git import repository_root
from envtree.system.git.objects import UnknownRevisionError, resolve_commit


def check_receipt(receipt: Receipt | None, path: Path) -> Iterator[Problem]:
    """The files that took part and that the commit has not, or has with another content."""
    if receipt is None or receipt.commit is None:
        told = "it names no commit" if receipt else "it has no receipt"
        raise RefusedError("ET631", f"{told}, so no repository can prove it", "compile with --receipt in a repository")
    repository = repository_root(path)
    if repository is None:
        raise MachineError("ET805", f"'{path}' lies in no git repository", "name a folder of one")
    try:
        resolve_commit(repository, receipt.commit)
    except UnknownRevisionError:
        message = f"the repository '{repository}' has no commit {receipt.commit}"
        raise MachineError("ET805", message, "fetch it with git") from None
    found = committed_files(repository, receipt.folder, receipt.commit, receipt.files)
    for file, id in receipt.files.items():
        if not found.get(file):
            yield Problem(file, "source", "", "the commit has no such file")
        elif found[file] != id:
            yield Problem(file, "source", "", "the commit has it with another content")
