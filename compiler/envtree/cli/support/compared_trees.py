"""Open the two sides of a comparison, each named as a revision of the repository or as a folder."""

import os
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.session import open_tree
from envtree.sources.git_revision import RevisionTree
from envtree.sources.tree import DirectoryTree, RootNotFoundError, Tree, find_root
from envtree.system.git import repository_root
from envtree.system.git.objects import UnknownRevisionError, find_merge_base, resolve_commit

WORKING_TREE = "the working tree"


class ComparedTrees(NamedTuple):
    """Two trees with their display names and commits; the commit of a folder is empty."""

    base: Tree
    head: Tree
    base_name: str
    head_name: str
    base_commit: str = ""
    head_commit: str = ""


def open_compared_trees(directory: Path, base: str, head: str | None, *, use_merge_base: bool) -> ComparedTrees:
    """Open the trees that a command line names; with `use_merge_base` the base is the merge base of the revisions."""
    for text in (base,) if head is None else (base, head):
        _check_revision_text(text)
    base_revision = _find_merge_base(directory, base, head or "HEAD") if use_merge_base else base
    base_tree, base_commit = open_named_tree(directory, base_revision)
    head_tree, head_commit = (open_tree(directory), "") if head is None else open_named_tree(directory, head)
    return ComparedTrees(
        base=base_tree,
        head=head_tree,
        base_name=base,
        head_name=head or WORKING_TREE,
        base_commit=base_commit,
        head_commit=head_commit,
    )


def open_named_tree(directory: Path, text: str) -> tuple[Tree, str]:
    """Open the tree that `text` names; return it with its commit, which is empty for a folder."""
    _check_revision_text(text)
    folder = Path(text)
    if _is_path(text):
        if not folder.is_dir():
            raise usage_error(f"there is no folder '{text}'", "")
        return open_tree(folder), ""
    root = _find_root(directory)
    if root is None and folder.is_dir():
        return open_tree(folder), ""
    tree = open_tree(directory)
    commit = _resolve_commit(tree, text, folder)
    if not commit:
        return open_tree(folder), ""
    if folder.is_dir():
        raise usage_error(f"'{text}' is a revision and a folder", f"write './{text}' or 'refs/heads/{text}'")
    return _tree_at_commit(tree, commit, text), commit


def _find_root(directory: Path) -> Path | None:
    try:
        return find_root(directory)
    except RootNotFoundError:
        return None


def _resolve_commit(tree: DirectoryTree, text: str, folder: Path) -> str:
    """Return the commit that `text` names, or an empty string if it names only a folder."""
    repository = repository_root(tree.root)
    if repository is None:
        if not folder.is_dir():
            message = f"'{text}' is no folder, and '{tree.root}' lies in no git repository that could have it"
            raise usage_error(message, "name a folder")
        return ""
    try:
        return resolve_commit(repository, text)
    except UnknownRevisionError as error:
        if not folder.is_dir():
            raise _unknown_revision_error(error) from None
        return ""


def _tree_at_commit(tree: DirectoryTree, commit: str, name: str) -> RevisionTree:
    """Return the same tree at a commit of its repository."""
    repository = repository_root(tree.root)
    assert repository
    folder = tree.root.relative_to(repository).as_posix()
    return RevisionTree(repository, "" if folder == "." else folder, commit, name)


def _find_merge_base(directory: Path, base: str, head: str) -> str:
    """Return the merge base of two revisions; raise a usage error if there is none."""
    for text in (base, head):
        _check_revision_text(text)
    repository = repository_root(open_tree(directory).root)
    if repository is None or _is_path(base) or _is_path(head):
        raise usage_error("--merge-base compares two revisions of a git repository", "leave it out for folders")
    try:
        merge_base = find_merge_base(repository, resolve_commit(repository, base), resolve_commit(repository, head))
    except UnknownRevisionError as error:
        raise _unknown_revision_error(error) from None
    if merge_base is None:
        hint = "in a shallow clone, fetch more history, in GitHub's checkout with 'fetch-depth: 0'"
        raise usage_error(f"'{base}' and '{head}' have no commit in common", hint)
    return merge_base


def _check_revision_text(text: str) -> None:
    if not is_utf8(text):
        raise usage_error("a revision is text in UTF-8", "")
    if not text.strip():
        raise usage_error("the name of a revision or a folder is empty", "is a variable of the shell not set?")
    base, dots, head = text.partition("...") if "..." in text else text.partition("..")
    if dots and not _is_path(text):
        option = "--merge-base " if dots == "..." else ""
        raise usage_error(f"'{text}' names two revisions", f"write {option}{base or 'HEAD'} {head or 'HEAD'}")


def _is_path(text: str) -> bool:
    return text in (os.curdir, os.pardir) or text.startswith(("/", "./", "../"))


def _unknown_revision_error(error: UnknownRevisionError) -> Exception:
    if error.is_shallow:
        hint = "this is a shallow clone: fetch more history, in GitHub's checkout with 'fetch-depth: 0'"
    else:
        hint = "fetch it, or correct its name"
    return usage_error(f"'{error.revision}' is neither a revision of the repository nor a folder", hint)
