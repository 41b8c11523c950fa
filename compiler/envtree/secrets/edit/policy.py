"""Read the secrets policy of the organization around a file.

Only `organization.yaml` is read: the merge driver must not wait for a whole tree.
"""

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
    """The root of a tree, its policy, and the public keys of its people, normalized."""

    root: Path
    policy: SecretsPolicy = _STRICTEST_POLICY
    people: frozenset[str] = frozenset()


def load_enclosing_tree(file: Path) -> EnclosingTree:
    """Return the tree around a file; with the strictest policy where no organization can be read."""
    folder = next((parent for parent in file.absolute().parents if parent.is_dir()), Path.cwd())
    try:
        root = find_root(folder)
    except RootNotFoundError:
        return EnclosingTree(folder)
    data = DirectoryTree(root).read(ROOT_FILE)
    if not isinstance(data, bytes):
        return EnclosingTree(root)
    location = Location(Kind.ORGANIZATION, "", "", "")
    document = parse(Source(ROOT_FILE, location, data, sha256(data).hexdigest()), Diagnostics())
    return (
        EnclosingTree(root, read_secrets_policy(document), frozenset(index_public_keys(document)))
        if document
        else EnclosingTree(root)
    )
