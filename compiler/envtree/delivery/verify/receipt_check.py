"""Compare the receipt of an output with the files of the commit in a repository."""

from collections.abc import Iterator
from pathlib import Path

from envtree.delivery.receipt import committed_files
from envtree.delivery.verify.problem import Problem
from envtree.model.artifact import Receipt
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.system.git import repository_root
from envtree.system.git.objects import UnknownRevisionError, resolve_commit


def check_receipt(receipt: Receipt | None, path: Path) -> Iterator[Problem]:
    """Yield the files of a receipt that the commit lacks or has with another content.

    Raises RefusedError without a commit in the receipt, MachineError if the repository does not have it.
    """
    if receipt is None or receipt.commit is None:
        reason = "it names no commit" if receipt else "it has no receipt"
        raise RefusedError(
            "ET631", f"{reason}, so no repository can prove it", "compile with --receipt in a repository"
        )
    repository = repository_root(path)
    if repository is None:
        raise MachineError("ET805", f"'{path}' lies in no git repository", "name a folder of one")
    try:
        resolve_commit(repository, receipt.commit)
    except UnknownRevisionError:
        message = f"the repository '{repository}' has no commit {receipt.commit}"
        raise MachineError("ET805", message, "fetch it with git") from None
    blob_ids = committed_files(repository, receipt.folder, receipt.commit, receipt.files)
    for file, id in receipt.files.items():
        if not blob_ids.get(file):
            yield Problem(file, "source", "", "the commit has no such file")
        elif blob_ids[file] != id:
            yield Problem(file, "source", "", "the commit has it with another content")
