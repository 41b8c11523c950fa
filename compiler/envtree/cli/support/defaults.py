"""What organization.yaml says of `output`, read before the tree is: it decides whether a key is needed."""

from typing import NamedTuple

from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.fields import get_field, get_text, get_text_scalars
from envtree.model.formats import DEFAULT_FORMATS
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_FILE
from envtree.sources.tree import DirectoryTree

_ROOT_LOCATION = Location(Kind.ORGANIZATION, "", "", "")


class OutputDefaults(NamedTuple):
    """The defaults of `compile`; `directory` is relative to the tree's root."""

    directory: str = "out"
    secrets: str = "plain"
    formats: tuple[str, ...] = DEFAULT_FORMATS


def load_output_defaults(tree: DirectoryTree) -> OutputDefaults:
    """The tree's defaults; a file that cannot be read says nothing here, and everything in the run itself."""
    data = tree.read(ROOT_FILE)
    if not isinstance(data, bytes):
        return OutputDefaults()
    document = parse(Source(ROOT_FILE, _ROOT_LOCATION, data, ""), Diagnostics())
    formats = get_field(document, "output", "formats")
    return OutputDefaults(
        get_text(get_field(document, "output", "directory")) or OutputDefaults().directory,
        get_text(get_field(document, "output", "secrets")) or OutputDefaults().secrets,
        tuple(str(item.value) for item in get_text_scalars(formats)) if formats else DEFAULT_FORMATS,
    )
