"""Find the `.sops.yaml` files for the secrets files of a tree, in the folders upwards from each of them."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.sops_rule import SOPS_CONFIG_FILE
from envtree.model.source import Kind, Location, Source
from envtree.model.span import file_span
from envtree.model.tree_layout import escape_unprintable
from envtree.sources.tree import EntryType, ReadProblem, Tree

_LOCATION = Location(Kind.CREATION_RULES, "", "", "")


class SopsConfigSource(NamedTuple):
    """A `.sops.yaml`; `root_prefix` is the path from its folder to the root of the tree, if it is above the root."""

    source: Source
    root_prefix: str


def read_sops_configs(tree: Tree, secrets: Iterable[str], diags: Diagnostics) -> Iterator[SopsConfigSource]:
    """Read every `.sops.yaml` that sops may find for one of the secrets files."""
    folders = {folder for path in secrets for folder in _parent_folders(path)}
    is_at_root = False
    for folder in sorted(folders):
        path = f"{folder}/{SOPS_CONFIG_FILE}" if folder else SOPS_CONFIG_FILE
        if any(entry.path == path and entry.type in (EntryType.FILE, EntryType.LINK) for entry in tree.entries(folder)):
            is_at_root = is_at_root or not folder
            yield from _make_source(path, "", tree.read(path), diags)
    file_above = tree.find_above_root(SOPS_CONFIG_FILE) if folders and not is_at_root else None
    if file_above:
        yield from _make_source(file_above.path, file_above.root_prefix, file_above.content, diags)


def _parent_folders(path: str) -> Iterator[str]:
    folder = path.rpartition("/")[0]
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
    yield ""


def _make_source(
    path: str, root_prefix: str, data: bytes | ReadProblem, diags: Diagnostics
) -> Iterator[SopsConfigSource]:
    if isinstance(data, bytes):
        yield SopsConfigSource(Source(path, _LOCATION, data, sha256(data).hexdigest()), root_prefix)
    else:
        diags.add(Diagnostic(file_span(escape_unprintable(path)), *data))
