"""What the organization around a file allows of its secrets files, read off its one file: a merge cannot wait."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from envtree.frontend.link.declared_readers import index_public_keys
from envtree.frontend.link.organization import read_secrets_policy
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.secrets_file import SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_FILE
from envtree.sources.tree import DirectoryTree, RootNotFoundError, find_root

_STRICTEST_POLICY = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)


class EnclosingTree(NamedTuple):
    """The root of a tree, its policy, and the keys of its people in their one spelling."""

    root: Path
    policy: SecretsPolicy = _STRICTEST_POLICY
    people: frozenset[str] = frozenset()


def load_enclosing_tree(file: Path) -> EnclosingTree:
    """What holds in the tree that a file lies in; the default without a readable organization."""
    folder = next((each for each in file.absolute().parents if each.is_dir()), Path.cwd())
    try:
        root = find_root(folder)
    except RootNotFoundError:
        return EnclosingTree(folder)
    data = DirectoryTree(root).read(ROOT_FILE)
    if not isinstance(data, bytes):
        return EnclosingTree(root)
    where = Location(Kind.ORGANIZATION, "", "", "")
    document = parse(Source(ROOT_FILE, where, data, sha256(data).hexdigest()), Diagnostics())
    return (
        EnclosingTree(root, read_secrets_policy(document), frozenset(index_public_keys(document)))
        if document
        else EnclosingTree(root)
    )
