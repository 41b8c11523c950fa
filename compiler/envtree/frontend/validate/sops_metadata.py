"""The `sops` map of a file: who can open it, whom sops would call, and what its MAC covers.

Whatever is not known here is refused, for sops may read it: its JSON reader matches keys without regard to case, so
`HC_VAULT` is a vault as well.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.validate.wrapped_keys import count_recipients
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import (
    EXEMPTION_SETTINGS,
    PERSONAL_KEY_KINDS,
    UNENCRYPTED_SUFFIX,
    Endpoint,
    Recipient,
    age_recipient_kind,
    parse_ciphertext,
)
from envtree.model.span import Span

METADATA_KEY = "sops"

_LAST_MODIFIED = "lastmodified"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")

# By kind of key: the fields of an entry. The first says whose key it is.
_MASTER_KEY_FIELDS = {
    "age": ("recipient", "enc"),
    "pgp": ("fp", "enc", "created_at"),
    "kms": ("arn", "enc", "created_at", "role", "context", "aws_profile"),
    "gcp_kms": ("resource_id", "enc", "created_at"),
    "azure_kv": ("vault_url", "enc", "created_at", "name", "version"),
    "hc_vault": ("vault_address", "enc", "created_at", "engine_path", "key_name"),
    "hckms": ("key_id", "enc", "created_at"),
}
_ENDPOINT_FIELDS = {
    "kms": ("arn", "role"),
    "gcp_kms": ("resource_id",),
    "azure_kv": ("vault_url",),
    "hc_vault": ("vault_address",),
    "hckms": ("key_id",),
}
# The command `encrypt` has no option for these: only the old form of it.
_LEGACY_SYNTAX_OPTIONS = frozenset({"mac_only_encrypted", "unencrypted_comment_regex", "encrypted_comment_regex"})
_OTHER_FIELDS = (_LAST_MODIFIED, "mac", "mac_only_encrypted", "key_groups", "shamir_threshold", "version")
_KNOWN_FIELDS = (*_MASTER_KEY_FIELDS, *EXEMPTION_SETTINGS, *_OTHER_FIELDS)
_REENCRYPT_HINT = "decrypt the file and encrypt it again, as a whole"


class SopsMetadata(NamedTuple):
    """What the `sops` map says; see `SealedFile`."""

    recipients: tuple[Recipient, ...]
    endpoints: tuple[Endpoint, ...]
    lastmodified: str
    threshold: int


def read_sops_metadata(document: Document, block: MappingNode, findings: Diagnostics) -> SopsMetadata:
    """Read the `sops` map, and report all in it that sops could be misled with."""
    reader = _MetadataReader(document, findings)
    for key in (key for key in block.entries if key not in _KNOWN_FIELDS):
        reader.report_unknown_key(block, (METADATA_KEY,), key, _KNOWN_FIELDS)
    reader.check_coverage(block)
    grouped = list(reader.read_key_groups(block))
    entries = [*reader.read_master_keys(block, (METADATA_KEY,)), *grouped]
    recipients = tuple(recipient for entry in entries for recipient in reader.read_recipient(entry))
    endpoints = tuple(endpoint for entry in entries for endpoint in reader.read_endpoints(entry))
    if not entries:
        reader.report(block, "ET603", (METADATA_KEY,), "names no key that opens the file", _REENCRYPT_HINT)
    threshold = _read_threshold(block, len({entry.group for entry in grouped}))
    return SopsMetadata(recipients, endpoints, _text(block.entries.get(_LAST_MODIFIED)), threshold)


class _MasterKey(NamedTuple):
    """One master key of the file, as it stands there."""

    kind: str
    node: MappingNode
    path: KeyPath
    group: int


class _MetadataReader(NamedTuple):
    document: Document
    findings: Diagnostics

    def check_coverage(self, block: MappingNode) -> None:
        """The MAC is there, and it covers the whole file."""
        path = (METADATA_KEY,)
        mac = parse_ciphertext(_text(block.entries.get("mac")))
        if mac is None or mac.type != "str":
            self.report(block, "ET606", path, "has no well-formed 'mac'", _REENCRYPT_HINT)
        if not _TIME.fullmatch(_text(block.entries.get(_LAST_MODIFIED))):
            self.report(block, "ET606", path, f"has no well-formed '{_LAST_MODIFIED}'", _REENCRYPT_HINT)
        partial = block.entries.get("mac_only_encrypted")
        if partial is not None and _text(partial) != "false":
            hint = _removal_hint("mac_only_encrypted")
            self.report(partial, "ET606", (*path, "mac_only_encrypted"), "takes plain values out of the MAC", hint)
        for key in EXEMPTION_SETTINGS:
            rule = block.entries.get(key)
            if rule is not None and not _is_default(key, rule):
                message = "can leave parts of the file in plain text"
                self.report(rule, "ET607", (*path, key), message, _removal_hint(key))

    def read_key_groups(self, block: MappingNode) -> Iterator[_MasterKey]:
        """The master keys inside `key_groups`."""
        path = (METADATA_KEY, "key_groups")
        for index, group in enumerate(self.read_maps(block.entries.get("key_groups"), path)):
            inside = (*path, str(index))
            for key in (key for key in group.entries if key not in _MASTER_KEY_FIELDS):
                self.report_unknown_key(group, inside, key, _MASTER_KEY_FIELDS)
            yield from self.read_master_keys(group, inside, index)

    def read_master_keys(self, group: MappingNode, path: KeyPath, group_number: int = 0) -> Iterator[_MasterKey]:
        """The master keys of one group."""
        for kind, fields in _MASTER_KEY_FIELDS.items():
            for index, node in enumerate(self.read_maps(group.entries.get(kind), (*path, kind))):
                inside = (*path, kind, str(index))
                for key in (key for key in node.entries if key not in fields):
                    self.report_unknown_key(node, inside, key, fields)
                yield _MasterKey(kind, node, inside, group_number)

    def read_maps(self, node: Node | None, path: KeyPath) -> Iterator[MappingNode]:
        """The maps of a list; sops writes null or `[]` where there is none."""
        if node is None or (isinstance(node, ScalarNode) and node.value is None):
            return
        if not isinstance(node, SequenceNode):
            self.report(node, "ET603", path, "is not a list of keys", _REENCRYPT_HINT)
            return
        for index, item in enumerate(node.items):
            if isinstance(item, MappingNode):
                yield item
            else:
                self.report(item, "ET603", (*path, str(index)), "is not a map", _REENCRYPT_HINT)

    def read_recipient(self, entry: _MasterKey) -> Iterator[Recipient]:
        """Whose key it is, if the entry is whole."""
        identity, enc = _MASTER_KEY_FIELDS[entry.kind][:2]
        for field in (identity, enc):
            if not _text(entry.node.entries.get(field)):
                self.report(entry.node, "ET603", entry.path, f"has no '{field}'", _REENCRYPT_HINT)
        node = entry.node.entries.get(identity)
        value = _text(node)
        if node is not None and value:
            kind = age_recipient_kind(value) if entry.kind == "age" else entry.kind
            wrapped = _multiline_text(entry.node.entries.get(enc))
            self._check_wrapping(entry, kind, wrapped)
            yield Recipient(kind, value, wrapped, self.document.span(node), entry.group)

    def _check_wrapping(self, entry: _MasterKey, kind: str, wrapped: str) -> None:
        readers = count_recipients(kind, wrapped) if kind in PERSONAL_KEY_KINDS and wrapped else 1
        if readers != 1:
            message = "hands the data key to more than the one key that it names"
            if not readers:
                message = "does not show whether it hands the data key to the one key that it names alone"
            self.report(entry.node, "ET613", entry.path, message, "run 'sops rotate', and find out who wrote it")

    def read_endpoints(self, entry: _MasterKey) -> Iterator[Endpoint]:
        """Whom sops would call for this key."""
        for field in _ENDPOINT_FIELDS.get(entry.kind, ()):
            node = entry.node.entries.get(field)
            if node is not None and _text(node):
                yield Endpoint(entry.kind, _text(node), self.document.span(node))

    def report_unknown_key(
        self, node: MappingNode, path: KeyPath, key: str, allowed: tuple[str, ...] | dict[str, tuple[str, ...]]
    ) -> None:
        """A key that this version of envtree cannot judge."""
        self._add(self.document.key_span(node, key), "ET607", (*path, key), "is unknown", did_you_mean(key, allowed))

    def report(self, node: Node, code: str, path: KeyPath, message: str, hint: str) -> None:
        """Report what is wrong with a node."""
        self._add(self.document.span(node), code, path, message, hint)

    def _add(self, span: Span, code: str, path: KeyPath, message: str, hint: str) -> None:
        key = format_path(path)
        self.findings.add(Diagnostic(span, code, f"'{key}' {message}", hint, key=key))


def _removal_hint(setting: str) -> str:
    option, command = (
        setting.replace("_", "-"),
        "sops --encrypt" if setting in _LEGACY_SYNTAX_OPTIONS else "sops encrypt",
    )
    return f"take '{setting}' out of .sops.yaml, or '--{option}' out of '{command}', and {_REENCRYPT_HINT}"


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) else ""


def _multiline_text(node: Node | None) -> str:
    """A text of several lines, which a dotenv file has in one."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""


def _read_threshold(block: MappingNode, groups: int) -> int:
    """How many of the key groups are needed; without a number it is all of them."""
    text = _text(block.entries.get("shamir_threshold"))
    # Of thousands of digits Python makes no number at all.
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    return (number or groups) if groups > 1 else 1


def _is_default(key: str, rule: Node) -> bool:
    """Whether a rule exempts nothing that `read_sealed` would let pass."""
    return isinstance(rule, ScalarNode) and (
        not rule.text or (key == "unencrypted_suffix" and rule.text == UNENCRYPTED_SUFFIX)
    )
