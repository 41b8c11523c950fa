"""Find the `.sops.yaml` files that are for the secrets files of a tree: the nearest upwards from each of them."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.sops_rule import RULES_FILE
from envtree.model.source import Kind, Location, Source
from envtree.model.span import whole_file
from envtree.model.tree_layout import shown
from envtree.sources.tree import Refusal, Tree, What

_PLACE = Location(Kind.CREATION_RULES, "", "", "")


class RulesSource(NamedTuple):
    """A `.sops.yaml`, and the way from its folder to the root of the tree if it lies above that."""

    source: Source
    inside: str


def rules_files(tree: Tree, secrets: Iterable[str], diags: Diagnostics) -> Iterator[RulesSource]:
    """Read every `.sops.yaml` that sops may find from one of the secrets files."""
    folders = {folder for path in secrets for folder in _upwards(path)}
    at_root = False
    for folder in sorted(folders):
        path = f"{folder}/{RULES_FILE}" if folder else RULES_FILE
        if any(entry.path == path and entry.what in (What.FILE, What.LINK) for entry in tree.entries(folder)):
            at_root = at_root or not folder
            yield from _source(path, "", tree.read(path), diags)
    above = tree.above(RULES_FILE) if folders and not at_root else None
    if above:
        yield from _source(above.path, above.inside, above.content, diags)


def _upwards(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _source(path: str, inside: str, data: bytes | Refusal, diags: Diagnostics) -> Iterator[RulesSource]:
    if isinstance(data, bytes):
        yield RulesSource(Source(path, _PLACE, data, sha256(data).hexdigest()), inside)
    else:
        diags.add(Diagnostic(whole_file(shown(path)), *data))
