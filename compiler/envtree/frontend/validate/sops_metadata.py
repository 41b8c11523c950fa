"""Read the `sops` map of a file: its recipients, the services that sops would call, and the coverage of its MAC.

Unknown keys are refused, because sops may read them: its JSON reader ignores case, so `HC_VAULT` is a vault, too.
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

# The fields of an entry, by kind of key. The first identifies the key.
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
# Only the legacy form `sops --encrypt` has options for these, not the command `encrypt`.
_LEGACY_SYNTAX_OPTIONS = frozenset({"mac_only_encrypted", "unencrypted_comment_regex", "encrypted_comment_regex"})
_OTHER_FIELDS = (_LAST_MODIFIED, "mac", "mac_only_encrypted", "key_groups", "shamir_threshold", "version")
_KNOWN_FIELDS = (*_MASTER_KEY_FIELDS, *EXEMPTION_SETTINGS, *_OTHER_FIELDS)
_REENCRYPT_HINT = "decrypt the file and encrypt it again, as a whole"


class SopsMetadata(NamedTuple):
    """The content of the `sops` map; see `SecretsFile`."""

    recipients: tuple[Recipient, ...]
    endpoints: tuple[Endpoint, ...]
    lastmodified: str
    threshold: int


def read_sops_metadata(document: Document, block: MappingNode, findings: Diagnostics) -> SopsMetadata:
    """Read the `sops` map, and report everything in it that could mislead sops."""
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
    """One master key of the file, as written."""

    kind: str
    node: MappingNode
    path: KeyPath
    group: int


class _MetadataReader(NamedTuple):
    document: Document
    findings: Diagnostics

    def check_coverage(self, block: MappingNode) -> None:
        """Check that the MAC exists and covers the whole file."""
        path = (METADATA_KEY,)
        mac = parse_ciphertext(_text(block.entries.get("mac")))
        if mac is None or mac.type != "str":
            self.report(block, "ET606", path, "has no well-formed 'mac'", _REENCRYPT_HINT)
        if not _TIME.fullmatch(_text(block.entries.get(_LAST_MODIFIED))):
            self.report(block, "ET606", path, f"has no well-formed '{_LAST_MODIFIED}'", _REENCRYPT_HINT)
        mac_setting = block.entries.get("mac_only_encrypted")
        if mac_setting is not None and _text(mac_setting) != "false":
            hint = _removal_hint("mac_only_encrypted")
            self.report(mac_setting, "ET606", (*path, "mac_only_encrypted"), "takes plain values out of the MAC", hint)
        for key in EXEMPTION_SETTINGS:
            setting = block.entries.get(key)
            if setting is not None and not _is_default(key, setting):
                message = "can leave parts of the file in plain text"
                self.report(setting, "ET607", (*path, key), message, _removal_hint(key))

    def read_key_groups(self, block: MappingNode) -> Iterator[_MasterKey]:
        """Yield the master keys in `key_groups`."""
        path = (METADATA_KEY, "key_groups")
        for index, group in enumerate(self.read_maps(block.entries.get("key_groups"), path)):
            group_path = (*path, str(index))
            for key in (key for key in group.entries if key not in _MASTER_KEY_FIELDS):
                self.report_unknown_key(group, group_path, key, _MASTER_KEY_FIELDS)
            yield from self.read_master_keys(group, group_path, index)

    def read_master_keys(self, group: MappingNode, path: KeyPath, group_number: int = 0) -> Iterator[_MasterKey]:
        """Yield the master keys of one group."""
        for kind, fields in _MASTER_KEY_FIELDS.items():
            for index, node in enumerate(self.read_maps(group.entries.get(kind), (*path, kind))):
                entry_path = (*path, kind, str(index))
                for key in (key for key in node.entries if key not in fields):
                    self.report_unknown_key(node, entry_path, key, fields)
                yield _MasterKey(kind, node, entry_path, group_number)

    def read_maps(self, node: Node | None, path: KeyPath) -> Iterator[MappingNode]:
        """Yield the maps of a list; sops writes null or `[]` for an empty one."""
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
        """Yield the recipient, if the entry is complete."""
        identity_field, wrapped_field = _MASTER_KEY_FIELDS[entry.kind][:2]
        for field in (identity_field, wrapped_field):
            if not _text(entry.node.entries.get(field)):
                self.report(entry.node, "ET603", entry.path, f"has no '{field}'", _REENCRYPT_HINT)
        node = entry.node.entries.get(identity_field)
        value = _text(node)
        if node is not None and value:
            kind = age_recipient_kind(value) if entry.kind == "age" else entry.kind
            wrapped = _multiline_text(entry.node.entries.get(wrapped_field))
            self._check_wrapping(entry, kind, wrapped)
            yield Recipient(
                kind=kind, value=value, wrapped_data_key=wrapped, span=self.document.span(node), group=entry.group
            )

    def _check_wrapping(self, entry: _MasterKey, kind: str, wrapped: str) -> None:
        recipient_count = count_recipients(kind, wrapped) if kind in PERSONAL_KEY_KINDS and wrapped else 1
        if recipient_count != 1:
            message = "hands the data key to more than the one key that it names"
            if not recipient_count:
                message = "does not show whether it hands the data key to the one key that it names alone"
            self.report(entry.node, "ET613", entry.path, message, "run 'sops rotate', and find out who wrote it")

    def read_endpoints(self, entry: _MasterKey) -> Iterator[Endpoint]:
        """Yield the services that sops would call for this key."""
        for field in _ENDPOINT_FIELDS.get(entry.kind, ()):
            node = entry.node.entries.get(field)
            if node is not None and _text(node):
                yield Endpoint(entry.kind, _text(node), self.document.span(node))

    def report_unknown_key(
        self, node: MappingNode, path: KeyPath, key: str, allowed: tuple[str, ...] | dict[str, tuple[str, ...]]
    ) -> None:
        """Report a key that this version of envtree does not know."""
        self._add(self.document.key_span(node, key), "ET607", (*path, key), "is unknown", did_you_mean(key, allowed))

    def report(self, node: Node, code: str, path: KeyPath, message: str, hint: str) -> None:
        """Report a problem with a node."""
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
    """Return a text of several lines, which is one line with escapes in a dotenv file."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""


def _read_threshold(block: MappingNode, groups: int) -> int:
    """Return how many key groups are needed to open the file: all of them without a number."""
    text = _text(block.entries.get("shamir_threshold"))
    # Python refuses to convert thousands of digits.
    number = int(text) if text.isdecimal() and len(text) < 10 else 0
    return (number or groups) if groups > 1 else 1


def _is_default(key: str, setting: Node) -> bool:
    """Report whether a setting exempts no key that `read_secrets_file` accepts."""
    return isinstance(setting, ScalarNode) and (
        not setting.text or (key == "unencrypted_suffix" and setting.text == UNENCRYPTED_SUFFIX)
    )
