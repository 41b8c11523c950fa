"""Read the creation rules of `.sops.yaml` as sops understands them, and report rules that sops could not use."""

import re
from collections.abc import Iterator

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.secrets_file import EXEMPTION_SETTINGS, UNENCRYPTED_SUFFIX, Endpoint, age_recipient_kind
from envtree.model.sops_rule import CreationRule, CreationRuleKey, SopsConfig, SopsConfigDocument, is_valid_pattern
from envtree.model.span import Span

CREATION_RULES_KEY = "creation_rules"

# The fields of a rule that name keys, with the kind of the keys. A value is one text with commas, or a list.
_RULE_KEY_FIELDS = {
    "age": "age",
    "pgp": "pgp",
    "kms": "kms",
    "gcp_kms": "gcp_kms",
    "hckms": "hckms",
    "azure_keyvault": "azure_kv",
    "hc_vault_transit_uri": "hc_vault",
}
# The fields of a key group, with the kind of the keys and the field of an item that identifies the key; an empty field
# means that items are texts.
_GROUP_KEY_FIELDS = {
    "age": ("age", ""),
    "pgp": ("pgp", ""),
    "kms": ("kms", "arn"),
    "gcp_kms": ("gcp_kms", "resource_id"),
    "hckms": ("hckms", "key_id"),
    "azure_keyvault": ("azure_kv", "vaultUrl"),
    "hc_vault": ("hc_vault", ""),
}
# The address of a service is the part of the key's URL before this separator.
_ADDRESS_SEPARATORS = {"hc_vault": "/v1/", "azure_kv": "/keys/", "kms": "+"}
_PERSONAL_KINDS = re.compile("age|pgp")


def read_creation_rules(config: SopsConfigDocument, diags: Diagnostics) -> SopsConfig:
    """Return the rules of a file; report a rule that sops could not read, and mark it as broken."""
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
        """Read one rule."""
        span = self._document.span(node)
        if not isinstance(node, MappingNode):
            self._diags.add(_rule_finding(span, "a rule is not a map", "write 'path_regex' and the keys"))
            return CreationRule(pattern="", groups=(), threshold=0, weakening_settings=(), span=span, is_broken=True)
        pattern = node.entries.get("path_regex")
        text = _text(pattern)
        is_broken = not is_valid_pattern(text)
        if is_broken and pattern:
            message = f"'path_regex' is not a regular expression that sops reads: '{text}'"
            hint = "sops stops at it, and so no later rule counts; look-around and back-references are not available"
            self._diags.add(_rule_finding(self._document.span(pattern), message, hint))
        groups = tuple(tuple(self._read_group_keys(item)) for item in _as_items(node.entries.get("key_groups")))
        return CreationRule(
            pattern=text,
            groups=groups or (tuple(self._read_rule_keys(node)),),
            threshold=_read_integer(node.entries.get("shamir_threshold")),
            weakening_settings=tuple(self._read_weakening_settings(node)),
            span=span if pattern is None else self._document.span(pattern),
            is_broken=is_broken,
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
        for name, (kind, identity_field) in _GROUP_KEY_FIELDS.items():
            for item in _as_items(node.entries.get(name)):
                if isinstance(item, MappingNode):
                    yield from self._split_keys(kind, item.entries.get(identity_field), item.entries.get("role"))
                else:
                    yield from self._split_keys(kind, None if identity_field else item)

    def _split_keys(self, kind: str, node: Node | None, *roles: Node | None) -> Iterator[CreationRuleKey]:
        """Yield the keys in one text; the value of a key of a service is the address in its URL."""
        if node is None:
            return
        span = self._document.span(node)
        for text in filter(None, map(str.strip, _text(node).split(","))):
            value, _, rest = text.partition(_ADDRESS_SEPARATORS.get(kind, "\n"))
            addresses = [value, *(_text(role) for role in roles), *([rest] if kind == "kms" else [])]
            endpoints = (
                ()
                if _PERSONAL_KINDS.fullmatch(kind)
                else tuple(Endpoint(kind, address, span) for address in addresses if address)
            )
            yield CreationRuleKey(age_recipient_kind(text) if kind == "age" else kind, value, endpoints, span)

    def _read_weakening_settings(self, node: MappingNode) -> Iterator[tuple[str, Span]]:
        for name in (*EXEMPTION_SETTINGS, "mac_only_encrypted"):
            setting = node.entries.get(name)
            if setting is None or _text(setting).casefold() in ("", "false"):
                continue
            # The default of sops exempts only keys that a secrets file must not contain.
            if (name, _text(setting)) != ("unencrypted_suffix", UNENCRYPTED_SUFFIX):
                yield name, self._document.span(setting)


def _rule_finding(span: Span, message: str, hint: str) -> Diagnostic:
    return Diagnostic(span, "ET654", message, hint)


def _as_items(node: Node | None) -> tuple[Node, ...]:
    """Return the items of a list, or a single value as the only item."""
    if isinstance(node, SequenceNode):
        return node.items
    return () if node is None else (node,)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, ScalarNode) and node.value is not None else ""


def _read_integer(node: Node | None) -> int:
    text = _text(node)
    # Python refuses to convert thousands of digits.
    return int(text) if text.isdecimal() and len(text) < 10 else 0
