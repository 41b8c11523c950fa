"""Encrypted bytes as the pipeline reads them, without a tree around them."""

from hashlib import sha256
from typing import Any, NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.frontend.parse import parse
from envtree.frontend.validate.sealed import read_sealed
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Cipher, Document, Mapping, Node, Scalar
from envtree.model.secrets_file import SCOPE, SealedFile
from envtree.model.source import Kind, Location, Source

_ANYWHERE = Location(Kind.SECRETS, "", "", "", Kind.ORGANIZATION)


class Sealed(NamedTuple):
    """A SOPS file in memory; every place in it is one of `text`."""

    document: Document
    file: SealedFile
    text: str

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.text.encode()

    @property
    def content(self) -> Mapping:
        """All that it encrypts, in its order, `_scope` included."""
        known = dict(self.file.content.entries)
        root = self.document.root
        entries = {
            key: _scope(node, self.file) if key == SCOPE else known.get(key) for key, node in root.entries.items()
        }
        return Mapping({}, {key: node for key, node in entries.items() if node}, root.keys, root.at)

    def node(self, path: KeyPath) -> Node | None:
        """What stands at a path of maps, None for nothing."""
        found: Node = self.content
        for key in path:
            if not isinstance(found, Mapping) or key not in found.entries:
                return None
            found = found.entries[key]
        return found


class UnreadableError(Exception):
    """A file is not one that sops wrote, or not one that may be opened; `findings` say why."""

    def __init__(self, path: str, findings: tuple[Diagnostic, ...]) -> None:
        super().__init__(path)
        self.path, self.findings = path, findings


def read(data: bytes, path: str, location: Location = _ANYWHERE) -> Sealed:
    """Read a SOPS file; UnreadableError with everything that is wrong with it."""
    diags = Diagnostics()
    document = parse(Source(path, location, data, sha256(data).hexdigest()), diags)
    file = read_sealed(document, diags) if document else None
    if document is None or file is None or any(CODES[each.code].severity is Severity.ERROR for each in diags):
        raise UnreadableError(path, tuple(diags))
    return Sealed(document, file, data.decode())


def _scope(node: Any, file: SealedFile) -> Scalar:
    return Scalar(file.scope or Cipher("str", 0, file.path, SCOPE), node.text, plain=False, at=node.at)
