"""Encrypted bytes as the pipeline reads them, without a tree around them."""

from hashlib import sha256
from typing import Any, NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.frontend.parse import parse
from envtree.frontend.validate.secrets_file_reader import read_secrets_file
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, EncryptedValue, MappingNode, Node, ScalarNode
from envtree.model.secrets_file import SCOPE_KEY, SecretsFile
from envtree.model.source import Kind, Location, Source

_ANY_LOCATION = Location(Kind.SECRETS, "", "", "", Kind.ORGANIZATION)


class SopsDocument(NamedTuple):
    """A SOPS file in memory; every place in it is one of `text`."""

    document: Document
    file: SecretsFile
    text: str

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return self.text.encode()

    @property
    def content(self) -> MappingNode:
        """All that it encrypts, in its order, `_scope` included."""
        known = dict(self.file.content.entries)
        root = self.document.root
        entries = {
            key: _scope_node(node, self.file) if key == SCOPE_KEY else known.get(key)
            for key, node in root.entries.items()
        }
        return MappingNode({}, {key: node for key, node in entries.items() if node}, root.key_marks, root.mark)

    def find_node(self, path: KeyPath) -> Node | None:
        """What stands at a path of maps, None for nothing."""
        found: Node = self.content
        for key in path:
            if not isinstance(found, MappingNode) or key not in found.entries:
                return None
            found = found.entries[key]
        return found


class UnreadableError(Exception):
    """A file is not one that sops wrote, or not one that may be opened; `findings` say why."""

    def __init__(self, path: str, findings: tuple[Diagnostic, ...]) -> None:
        super().__init__(path)
        self.path, self.findings = path, findings


def read_sops_document(data: bytes, path: str, location: Location = _ANY_LOCATION) -> SopsDocument:
    """Read a SOPS file; UnreadableError with everything that is wrong with it."""
    diags = Diagnostics()
    document = parse(Source(path, location, data, sha256(data).hexdigest()), diags)
    file = read_secrets_file(document, diags) if document else None
    if document is None or file is None or any(CODES[each.code].severity is Severity.ERROR for each in diags):
        raise UnreadableError(path, tuple(diags))
    return SopsDocument(document, file, data.decode())


def _scope_node(node: Any, file: SecretsFile) -> ScalarNode:
    return ScalarNode(
        file.scope or EncryptedValue("str", 0, file.path, SCOPE_KEY), node.text, is_plain=False, mark=node.mark
    )
