"""Read encrypted bytes with the parser and the checks of the pipeline, without a tree around them."""

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
    """A SOPS file in memory; the marks of its nodes are positions in `text`."""

    document: Document
    file: SecretsFile
    text: str

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        return self.text.encode()

    @property
    def content(self) -> MappingNode:
        """All encrypted values in the order of the file, `_scope` included."""
        content = dict(self.file.content.entries)
        root = self.document.root
        entries = {
            key: _scope_node(node, self.file) if key == SCOPE_KEY else content.get(key)
            for key, node in root.entries.items()
        }
        return MappingNode({}, {key: node for key, node in entries.items() if node}, root.key_marks, root.mark)

    def find_node(self, path: KeyPath) -> Node | None:
        """Return the node at a path of maps, or None."""
        node: Node = self.content
        for key in path:
            if not isinstance(node, MappingNode) or key not in node.entries:
                return None
            node = node.entries[key]
        return node


class UnreadableError(Exception):
    """A file was not written by sops, or may not be opened; `findings` are the reasons."""

    def __init__(self, path: str, findings: tuple[Diagnostic, ...]) -> None:
        super().__init__(path)
        self.path, self.findings = path, findings


def read_sops_document(data: bytes, path: str, location: Location = _ANY_LOCATION) -> SopsDocument:
    """Read a SOPS file; UnreadableError with all findings if one of them is an error."""
    diags = Diagnostics()
    document = parse(Source(path, location, data, sha256(data).hexdigest()), diags)
    file = read_secrets_file(document, diags) if document else None
    if (
        document is None
        or file is None
        or any(CODES[diagnostic.code].severity is Severity.ERROR for diagnostic in diags)
    ):
        raise UnreadableError(path, tuple(diags))
    return SopsDocument(document, file, data.decode())


def _scope_node(node: Any, file: SecretsFile) -> ScalarNode:
    return ScalarNode(
        file.scope or EncryptedValue("str", 0, file.path, SCOPE_KEY), node.text, is_plain=False, mark=node.mark
    )
