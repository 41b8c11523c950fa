"""Read `.sops.yaml`: its creation rules as sops understands them, and what it could not use."""

import re
from collections.abc import Iterator

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.secrets_file import EXEMPTIONS, PLAIN_SUFFIX, Endpoint, age_kind
from envtree.model.sops_rule import CreationRule, RuleKey, RulesDocument, RulesFile, is_pattern
from envtree.model.span import Span

RULES = "creation_rules"

# The fields of a rule that name keys, by the kind of the keys: one text, with commas, or a list.
_FLAT = {
    "age": "age",
    "pgp": "pgp",
    "kms": "kms",
    "gcp_kms": "gcp_kms",
    "hckms": "hckms",
    "azure_keyvault": "azure_kv",
    "hc_vault_transit_uri": "hc_vault",
}
# Those of a key group, with the field of an item that says whose key it is; without one an item is a text.
_GROUPED = {
    "age": ("age", ""),
    "pgp": ("pgp", ""),
    "kms": ("kms", "arn"),
    "gcp_kms": ("gcp_kms", "resource_id"),
    "hckms": ("hckms", "key_id"),
    "azure_keyvault": ("azure_kv", "vaultUrl"),
    "hc_vault": ("hc_vault", ""),
}
# What of the URL of a key is the address of its service.
_ADDRESS = {"hc_vault": "/v1/", "azure_kv": "/keys/", "kms": "+"}
_PERSONAL = re.compile("age|pgp")


def read_rules(read: RulesDocument, diags: Diagnostics) -> RulesFile:
    """The rules of a file; one that sops could not read is broken, and told."""
    document = read.document
    node = document.root.entries.get(RULES)
    if not isinstance(node, Sequence):
        if node is not None and not (isinstance(node, Scalar) and node.value is None):
            diags.add(_useless(document.span(node), f"'{RULES}' is not a list of rules", "write a list of maps there"))
        return RulesFile(document.path, read.inside, ())
    rules = tuple(_Reader(document, diags).rule(item) for item in node.items)
    return RulesFile(document.path, read.inside, rules)


class _Reader:
    def __init__(self, document: Document, diags: Diagnostics) -> None:
        self._document = document
        self._diags = diags

    def rule(self, node: Node) -> CreationRule:
        """One rule."""
        span = self._document.span(node)
        if not isinstance(node, Mapping):
            self._diags.add(_useless(span, "a rule is not a map", "write 'path_regex' and the keys"))
            return CreationRule("", (), 0, (), span, broken=True)
        pattern = node.entries.get("path_regex")
        text = _text(pattern)
        broken = not is_pattern(text)
        if broken and pattern:
            message = f"'path_regex' is not a regular expression that sops reads: '{text}'"
            hint = "sops stops at it, and so no later rule counts; look-around and back-references are not available"
            self._diags.add(_useless(self._document.span(pattern), message, hint))
        groups = tuple(tuple(self._group(item)) for item in _items(node.entries.get("key_groups")))
        return CreationRule(
            text,
            groups or (tuple(self._flat(node)),),
            _number(node.entries.get("shamir_threshold")),
            tuple(self._loose(node)),
            span if pattern is None else self._document.span(pattern),
            broken,
        )

    def _flat(self, node: Mapping) -> Iterator[RuleKey]:
        for name, kind in _FLAT.items():
            for item in _items(node.entries.get(name)):
                yield from self._keys(kind, item)

    def _group(self, node: Node) -> Iterator[RuleKey]:
        if not isinstance(node, Mapping):
            return
        for merged in _items(node.entries.get("merge")):
            yield from self._group(merged)
        for name, (kind, identity) in _GROUPED.items():
            for item in _items(node.entries.get(name)):
                holder = item.entries.get(identity) if isinstance(item, Mapping) else None if identity else item
                roles = [item.entries.get("role")] if isinstance(item, Mapping) else []
                yield from self._keys(kind, holder, *roles)

    def _keys(self, kind: str, node: Node | None, *roles: Node | None) -> Iterator[RuleKey]:
        """The keys in one text; of the URL of a service its address counts."""
        if node is None:
            return
        span = self._document.span(node)
        for text in filter(None, map(str.strip, _text(node).split(","))):
            value, _, rest = text.partition(_ADDRESS.get(kind, "\n"))
            called = [value, *(_text(role) for role in roles), *([rest] if kind == "kms" else [])]
            endpoints = () if _PERSONAL.fullmatch(kind) else tuple(Endpoint(kind, one, span) for one in called if one)
            yield RuleKey(age_kind(text) if kind == "age" else kind, value, endpoints, span)

    def _loose(self, node: Mapping) -> Iterator[tuple[str, Span]]:
        for name in (*EXEMPTIONS, "mac_only_encrypted"):
            setting = node.entries.get(name)
            if setting is None or _text(setting).casefold() in ("", "false"):
                continue
            # The default of sops leaves nothing in plain text that a secrets file may hold.
            if (name, _text(setting)) != ("unencrypted_suffix", PLAIN_SUFFIX):
                yield name, self._document.span(setting)


def _useless(span: Span, message: str, hint: str) -> Diagnostic:
    return Diagnostic(span, "ET654", message, hint)


def _items(node: Node | None) -> tuple[Node, ...]:
    """The parts of a list, or the one value that stands for it."""
    if isinstance(node, Sequence):
        return node.items
    return () if node is None else (node,)


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, Scalar) and node.value is not None else ""


def _number(node: Node | None) -> int:
    text = _text(node)
    # Of thousands of digits Python makes no number at all.
    return int(text) if text.isdecimal() and len(text) < 10 else 0
