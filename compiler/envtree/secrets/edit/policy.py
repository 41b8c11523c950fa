"""What the organization around a file allows of its secrets files, read off its one file: a merge cannot wait."""

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from envtree.frontend.link.organization import secrets_policy
from envtree.frontend.link.readers import everybody
from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.secrets_file import SecretsPolicy
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_FILE
from envtree.sources.tree import DirectoryTree, RootNotFound, find_root

_STRICTEST = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)


class Around(NamedTuple):
    """The root of a tree, its policy, and the keys of its people in their one spelling."""

    root: Path
    policy: SecretsPolicy = _STRICTEST
    people: frozenset[str] = frozenset()


def policy_around(file: Path) -> Around:
    """What holds in the tree that a file lies in; the default without a readable organization."""
    folder = next((each for each in file.absolute().parents if each.is_dir()), Path.cwd())
    try:
        root = find_root(folder)
    except RootNotFound:
        return Around(folder)
    data = DirectoryTree(root).read(ROOT_FILE)
    if not isinstance(data, bytes):
        return Around(root)
    where = Location(Kind.ORGANIZATION, "", "", "")
    document = parse(Source(ROOT_FILE, where, data, sha256(data).hexdigest()), Diagnostics())
    return Around(root, secrets_policy(document), frozenset(everybody(document))) if document else Around(root)
