"""What somebody calls a side of a comparison: a revision of the repository, or a folder."""

import os
from pathlib import Path
from typing import NamedTuple

from envtree.cli.options import is_text, usage_error
from envtree.cli.work.session import open_tree
from envtree.git import repository_root
from envtree.git.objects import UnknownRevision, commit_of, merge_base
from envtree.revision import RevisionTree
from envtree.tree import DirectoryTree, Tree


class Sides(NamedTuple):
    """Two trees, and what they are called."""

    base: Tree
    head: Tree
    base_name: str
    head_name: str


def sides(directory: Path, base: str, head: str | None, *, common: bool) -> Sides:
    """The trees that a command line names; with `common` the base is what both revisions descend from."""
    for text in filter(None, (base, head)):
        _check(text)
    if common:
        base = _common(directory, base, head or "HEAD")
    one = side(directory, base)
    other = open_tree(directory) if head is None else side(directory, head)
    return Sides(one, other, base, head or "the working tree")


def side(directory: Path, text: str) -> Tree:
    """The tree that a text names."""
    folder = Path(text)
    if _is_path(text):
        if not folder.is_dir():
            raise usage_error(f"there is no folder '{text}'", "")
        return open_tree(folder)
    tree = open_tree(directory)
    repository = repository_root(tree.root)
    try:
        commit = commit_of(repository, text) if repository else None
    except UnknownRevision as unknown:
        if not folder.is_dir():
            raise _unknown(unknown) from None
        commit = None
    if repository is None or commit is None:
        return _only_folder(folder, text, tree)
    if folder.is_dir():
        raise usage_error(f"'{text}' is a revision and a folder", f"write './{text}' or 'refs/heads/{text}'")
    return revision_tree(tree, repository, commit, text)


def revision_tree(tree: DirectoryTree, repository: Path, commit: str, name: str) -> RevisionTree:
    """The same tree at a commit of its repository."""
    inside = tree.root.relative_to(repository).as_posix()
    return RevisionTree(repository, "" if inside == "." else inside, commit, name)


def _common(directory: Path, base: str, head: str) -> str:
    tree = open_tree(directory)
    repository = repository_root(tree.root)
    if repository is None or _is_path(base) or _is_path(head):
        raise usage_error("--merge-base compares two revisions of a git repository", "leave it out for folders")
    try:
        found = merge_base(repository, commit_of(repository, base), commit_of(repository, head))
    except UnknownRevision as unknown:
        raise _unknown(unknown) from None
    if found is None:
        hint = "in a shallow clone, fetch more history, in GitHub's checkout with 'fetch-depth: 0'"
        raise usage_error(f"'{base}' and '{head}' have no commit in common", hint)
    return found


def _only_folder(folder: Path, text: str, tree: DirectoryTree) -> DirectoryTree:
    if folder.is_dir():
        return open_tree(folder)
    raise usage_error(f"there is no folder '{text}'", f"'{tree.root}' is in no git repository, which could have it")


def _check(text: str) -> None:
    if not is_text(text):
        raise usage_error("a revision is text in UTF-8", "")
    base, dots, head = text.partition("...") if "..." in text else text.partition("..")
    if dots and not _is_path(text):
        option = "--merge-base " if dots == "..." else ""
        raise usage_error(f"'{text}' names two revisions", f"write 'envtree diff {option}{base} {head}'".rstrip())


def _is_path(text: str) -> bool:
    return text in (os.curdir, os.pardir) or text.startswith(("/", "./", "../"))


def _unknown(unknown: UnknownRevision) -> Exception:
    if unknown.shallow:
        hint = "this is a shallow clone: fetch more history, in GitHub's checkout with 'fetch-depth: 0'"
    else:
        hint = "fetch it, or correct its name"
    return usage_error(f"'{unknown.revision}' is neither a revision of the repository nor a folder", hint)
