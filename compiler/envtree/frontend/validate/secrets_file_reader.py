"""Read a SOPS file into a `SecretsFile` without a key, and check it before any of it is used.

The MAC of sops covers neither key names, nor empty values, nor the boundaries between plain values; each rule here
closes one of these gaps. No message quotes a value of the file, because a pasted text may be a secret.
"""

import re
from typing import Literal, NamedTuple

from envtree.frontend.validate.sops_metadata import METADATA_KEY, read_sops_metadata
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, EncryptedValue, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import SCOPE_KEY, UNENCRYPTED_SUFFIX, SecretsFile, parse_ciphertext
from envtree.model.span import Span, file_span

_FORMATS: dict[str, Literal["yaml", "json", "env"]] = {"yaml": "yaml", "json": "json", "env": "env"}
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]+")
_READABLE_VALUE_HINT = (
    "restore the file from git, and write a new value with 'envtree secrets set {} {}': this one was readable"
)


def read_secrets_file(document: Document, diags: Diagnostics) -> SecretsFile | None:
    """Read a SOPS file without a key; report all problems and return None if there are any."""
    findings = Diagnostics()
    secrets_file = _read_file(document, findings)
    diags.extend(findings)
    return None if len(findings) else secrets_file


def _read_file(document: Document, findings: Diagnostics) -> SecretsFile | None:
    entries = dict(document.root.entries)
    block = entries.pop(METADATA_KEY, None)
    if not isinstance(block, MappingNode):
        findings.add(_not_encrypted_finding(document.path))
        return None
    span = document.key_span(document.root, METADATA_KEY)
    scope = entries.pop(SCOPE_KEY, None)
    content = _SecretsFileReader(document, findings).read_mapping(document.root._replace(entries=entries), ())
    metadata = read_sops_metadata(document, block, findings)
    return SecretsFile(
        path=document.path,
        location=document.location,
        digest=document.digest,
        format=_FORMATS[document.path.rpartition(".")[2]],
        content=content,
        scope=_read_scope(document, scope, findings),
        scope_span=span if scope is None else document.span(scope),
        recipients=metadata.recipients,
        endpoints=metadata.endpoints,
        lastmodified=metadata.lastmodified,
        span=span,
        threshold=metadata.threshold,
        raw_data=document.root.value,
    )


def _not_encrypted_finding(path: str) -> Diagnostic:
    hint = f"encrypt it with 'sops encrypt --in-place {path}', and replace what was readable in it"
    return Diagnostic(
        file_span(path), "ET603", f"'{path}' has no 'sops' map, expected a file that sops encrypted", hint
    )


def _read_scope(document: Document, scope: Node | None, findings: Diagnostics) -> EncryptedValue | None:
    """Return the encrypted `_scope`, and report one that is not an encrypted text."""
    if scope is None:
        return None
    ciphertext = parse_ciphertext(scope.text) if isinstance(scope, ScalarNode) else None
    if ciphertext is None or ciphertext.type != "str":
        message = f"'{SCOPE_KEY}' is not an encrypted text"
        hint = "write the path of the file without its endings there, and encrypt it with sops"
        findings.add(Diagnostic(document.span(scope), "ET608", message, hint, key=SCOPE_KEY))
        return None
    return EncryptedValue(ciphertext.type, ciphertext.length, document.path, SCOPE_KEY)


class _SecretsFileReader(NamedTuple):
    """Walks the content of a file; faulty values are left out of the result, which is then not used."""

    document: Document
    findings: Diagnostics

    def read_mapping(self, node: MappingNode, path: KeyPath) -> MappingNode:
        """Return a map with encrypted values as leaves; only the root may be empty."""
        if path and not node.entries:
            self._report_empty(node, path, "an empty map")
        entries: dict[str, Node] = {}
        for key, child in node.entries.items():
            self._check_key(node, path, key)
            # Nothing below such a key is encrypted, which `_check_key` has reported.
            value = None if key.endswith(UNENCRYPTED_SUFFIX) else self._read_node(child, (*path, key))
            if value is not None:
                entries[key] = value
        return MappingNode({}, entries, node.key_marks, node.mark)

    def _read_node(self, node: Node, path: KeyPath) -> Node | None:
        if isinstance(node, MappingNode):
            return self.read_mapping(node, path)
        if isinstance(node, SequenceNode):
            return self._read_sequence(node, path)
        return self._read_leaf(node, path)

    def _read_sequence(self, node: SequenceNode, path: KeyPath) -> SequenceNode:
        # sops stores the comments of a list as items, and drops them when it decrypts.
        values = [item for item in node.items if not _is_comment(item)]
        if not values:
            self._report_empty(node, path, "an empty list")
        items = (self._read_node(item, (*path, str(index))) for index, item in enumerate(values))
        return SequenceNode([], tuple(item for item in items if item is not None), node.mark)

    def _read_leaf(self, node: ScalarNode, path: KeyPath) -> ScalarNode | None:
        ciphertext = parse_ciphertext(node.text)
        if node.value is None or not node.text:
            self._report_empty(node, path, "empty")
        elif ciphertext is None:
            hint = _READABLE_VALUE_HINT.format(self.document.path, _command_argument(path))
            self._report(self.document.span(node), "ET602", path, "is not a value that sops encrypted", hint)
        elif ciphertext.type == "comment":
            hint = "remove it: the MAC does not cover comments"
            self._report(self.document.span(node), "ET607", path, "is an encrypted comment, expected a value", hint)
        else:
            # sops decrypts a time to the text that it encrypted.
            kind = "str" if ciphertext.type == "time" else ciphertext.type
            encrypted = EncryptedValue(kind, ciphertext.length, self.document.path, format_path(path))
            return ScalarNode(encrypted, node.text, is_plain=False, mark=node.mark)
        return None

    def _check_key(self, node: MappingNode, path: KeyPath, key: str) -> None:
        span = self.document.key_span(node, key)
        if key.endswith(UNENCRYPTED_SUFFIX):
            hint = f"move it to '{self.document.path.replace('.secrets.', '.')}': nothing below such a key is encrypted"
            self._report(span, "ET607", (*path, key), f"ends in '{UNENCRYPTED_SUFFIX}'", hint)
        if ":" in key:
            hint = "rename the key: sops joins the keys of a path with ':', so two paths could pass for each other"
            self._report(span, "ET607", (*path, key), "has ':' in its name", hint)
        if not path and key.casefold() == METADATA_KEY:
            hint = "rename the key: sops reads it as its own in a JSON file"
            self._report(span, "ET607", (key,), f"differs from '{METADATA_KEY}' in case only", hint)

    def _report_empty(self, node: Node, path: KeyPath, description: str) -> None:
        hint = "remove it: sops neither encrypts empty values nor notices when they change"
        self._report(self.document.span(node), "ET607", path, f"is {description}", hint)

    def _report(self, span: Span, code: str, path: KeyPath, message: str, hint: str) -> None:
        key = format_path(path)
        self.findings.add(Diagnostic(span, code, f"'{key}' {message}", hint, key=key))


def _command_argument(path: KeyPath) -> str:
    """Return a path for a command line that people copy, or `KEY` if it would need quotes."""
    key = format_path(path)
    return key if _PLAIN_KEY.fullmatch(key) else "KEY"


def _is_comment(node: Node) -> bool:
    ciphertext = parse_ciphertext(node.text) if isinstance(node, ScalarNode) else None
    return ciphertext is not None and ciphertext.type == "comment"
