"""Read `.sops.yaml`: its creation rules as sops understands them, and what it could not use."""

import re
from collections.abc import Iterator

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import EXEMPTION_SETTINGS, UNENCRYPTED_SUFFIX, Endpoint, age_recipient_kind
from envtree.model.sops_rule import CreationRule, CreationRuleKey, SopsConfig, SopsConfigDocument, is_valid_pattern
from envtree.model.span import Span

CREATION_RULES_KEY = "creation_rules"

# The fields of a rule that name keys, by the kind of the keys: one text, with commas, or a list.
_RULE_KEY_FIELDS = {
    "age": "age",
    "pgp": "pgp",
    "kms": "kms",
    "gcp_kms": "gcp_kms",
    "hckms": "hckms",
    "azure_keyvault": "azure_kv",
    "hc_vault_transit_uri": "hc_vault",
}
# Those of a key group, with the field of an item that says whose key it is; without one an item is a text.
_GROUP_KEY_FIELDS = {
    "age": ("age", ""),
    "pgp": ("pgp", ""),
    "kms": ("kms", "arn"),
    "gcp_kms": ("gcp_kms", "resource_id"),
    "hckms": ("hckms", "key_id"),
    "azure_keyvault": ("azure_kv", "vaultUrl"),
    "hc_vault": ("hc_vault", ""),
}
# What of the URL of a key is the address of its service.
_ADDRESS_SEPARATORS = {"hc_vault": "/v1/", "azure_kv": "/keys/", "kms": "+"}
_PERSONAL_KINDS = re.compile("age|pgp")


def read_creation_rules(config: SopsConfigDocument, diags: Diagnostics) -> SopsConfig:
    """The rules of a file; one that sops could not read is broken, and told."""
    document = config.document
    node = document.root.entries.get(CREATION_RULES_KEY)
    if not isinstance(node, SequenceNode):
        if node is not None and not (isinstance(node, ScalarNode) and node.value is None):
            diags.add(
                _rule_finding(
                    document.span(node), f"'{CREATION_RULES_KEY}' is not a list of rules", "write a list of maps there"
                )
            )
        return SopsConfig(document.path, config.root_prefix, ())
    rules = tuple(_RuleReader(document, diags).read_rule(item) for item in node.items)
    return SopsConfig(document.path, config.root_prefix, rules)


class _RuleReader:
    def __init__(self, document: Document, diags: Diagnostics) -> None:
        self._document = document
        self._diags = diags

    def read_rule(self, node: Node) -> CreationRule:
        """One rule."""
        span = self._document.span(node)
        if not isinstance(node, MappingNode):
            self._diags.add(_rule_finding(span, "a rule is not a map", "write 'path_regex' and the keys"))
            return CreationRule("", (), 0, (), span, is_broken=True)
        pattern = node.entries.get("path_regex")
        text = _text(pattern)
        broken = not is_valid_pattern(text)
        if broken and pattern:
            message = f"'path_regex' is not a regular expression that sops reads: '{text}'"
            hint = "sops stops at it, and so no later rule counts; look-around and back-references are not available"
            self._diags.add(_rule_finding(self._document.span(pattern), message, hint))
        groups = tuple(tuple(self._read_group_keys(item)) for item in _as_items(node.entries.get("key_groups")))
        return CreationRule(
            text,
            groups or (tuple(self._read_rule_keys(node)),),
            _read_integer(node.entries.get("shamir_threshold")),
            tuple(self._read_weakening_settings(node)),
            span if pattern is None else self._document.span(pattern),
            broken,
        )

    def _read_rule_keys(self, node: MappingNode) -> Iterator[CreationRuleKey]:
        for name, kind in _RULE_KEY_FIELDS.items():
            for item in _as_items(node.entries.get(name)):
                yield from self._split_keys(kind, item)

    def _read_group_keys(self, node: Node) -> Iterator[CreationRuleKey]:
        if not isinstance(node, MappingNode):
            return
        for merged in _as_items(node.entries.get("merge")):
            yield from self._read_group_keys(merged)
        for name, (kind, identity) in _GROUP_KEY_FIELDS.items():
            for item in _as_items(node.entries.get(name)):
                holder = item.entries.get(identity) if isinstance(item, MappingNode) else None if identity else item
                roles = [item.entries.get("role")] if isinstance(item, MappingNode) else []
                yield from self._split_keys(kind, holder, *roles)

    def _split_keys(self, kind: str, node: Node | None, *roles: Node | None) -> Iterator[CreationRuleKey]:
        """The keys in one text; of the URL of a service its address counts."""
        if node is None:
            return
        span = self._document.span(node)
        for text in filter(None, map(str.strip, _text(node).split(","))):
            value, _, rest = text.partition(_ADDRESS_SEPARATORS.get(kind, "\n"))
            called = [value, *(_text(role) for role in roles), *([rest] if kind == "kms" else [])]
            endpoints = (
                () if _PERSONAL_KINDS.fullmatch(kind) else tuple(Endpoint(kind, one, span) for one in called if one)
            )
            yield CreationRuleKey(age_recipient_kind(text) if kind == "age" else kind, value, endpoints, span)

    def _read_weakening_settings(self, node: MappingNode) -> Iterator[tuple[str, Span]]:
        for name in (*EXEMPTION_SETTINGS, "mac_only_encrypted"):
            setting = node.entries.get(name)
            if setting is None or _text(setting).casefold() in ("", "false"):
                continue
            # The default of sops leaves nothing in plain text that a secrets file may hold.
            if (name, _text(setting)) != ("unencrypted_suffix", UNENCRYPTED_SUFFIX):
                yield name, self._document.span(setting)


def _rule_finding(span: Span, message: str, hint: str) -> Diagnostic:
    return Diagnostic(span, "ET654", message, hint)


def _as_items(node: Node | None) -> tuple[Node, ...]:
    """The parts of a list, or the one value that stands for it."""
    if isinstance(node, SequenceNode):
        return node.items
    return () if node is None else (node,)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) and node.value is not None else ""


def _read_integer(node: Node | None) -> int:
    text = _text(node)
    # Of thousands of digits Python makes no number at all.
    return int(text) if text.isdecimal() and len(text) < 10 else 0
