"""What the organization around a file allows of its secrets files, read off its one file: a merge cannot wait."""

from hashlib import sha256
from pathlib import Path

from envtree.diagnostic import Diagnostics
from envtree.layout import ROOT_FILE
from envtree.link.organization import secrets_policy
from envtree.parse import parse
from envtree.secret import SecretsPolicy
from envtree.source import Kind, Location, Source
from envtree.tree import DirectoryTree, RootNotFound, find_root

_STRICTEST = SecretsPolicy(frozenset({"age", "pgp"}), (), require_scope=False)


def policy_around(file: Path) -> tuple[Path, SecretsPolicy]:
    """The root of the tree that a file lies in, and its policy; the default one without a readable organization."""
    folder = next((each for each in file.absolute().parents if each.is_dir()), Path.cwd())
    try:
        root = find_root(folder)
    except RootNotFound:
        return folder, _STRICTEST
    data = DirectoryTree(root).read(ROOT_FILE)
    if not isinstance(data, bytes):
        return root, _STRICTEST
    where = Location(Kind.ORGANIZATION, "", "", "")
    document = parse(Source(ROOT_FILE, where, data, sha256(data).hexdigest()), Diagnostics())
    return root, secrets_policy(document) if document else _STRICTEST
