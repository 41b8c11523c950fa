"""What organization.yaml says of `output`, read before the tree is: it decides whether a key is needed."""

from typing import NamedTuple

from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.fields import field, text, texts
from envtree.model.formats import DEFAULT
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_FILE
from envtree.sources.tree import DirectoryTree

_LOCATION = Location(Kind.ORGANIZATION, "", "", "")


class Defaults(NamedTuple):
    """The defaults of `compile`; `directory` is relative to the tree's root."""

    directory: str = "out"
    secrets: str = "plain"
    formats: tuple[str, ...] = DEFAULT


def defaults(tree: DirectoryTree) -> Defaults:
    """The tree's defaults; a file that cannot be read says nothing here, and everything in the run itself."""
    data = tree.read(ROOT_FILE)
    if not isinstance(data, bytes):
        return Defaults()
    document = parse(Source(ROOT_FILE, _LOCATION, data, ""), Diagnostics())
    formats = field(document, "output", "formats")
    return Defaults(
        text(field(document, "output", "directory")) or Defaults().directory,
        text(field(document, "output", "secrets")) or Defaults().secrets,
        tuple(str(item.value) for item in texts(formats)) if formats else DEFAULT,
    )
