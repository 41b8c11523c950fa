"""What differs in the rules: by what bundles are judged, how layers merge, what may be read and be silent."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from envtree.diff.edits import edits
from envtree.diff.model import RuleChange
from envtree.fields import field
from envtree.node import Document, Node, Scalar, Sequence
from envtree.node import Mapping as MappingNode
from envtree.resource import Resource
from envtree.sayings import same
from envtree.source import Kind

# What each field declares; of a map each key is a rule of its own.
_ORGANIZATION = {
    "variables": "contract",
    "strict_variables": "strict variables",
    "merge": "list policy",
    "lint": "severity",
    "inputs": "input",
    "secrets": "secrets policy",
    "people": "person",
    "owners": "owners",
    "secret_readers": "readers of secrets",
}
_CONTRACTS = {"variables": "contract"}
_PROJECT = _CONTRACTS | {"owners": "owners", "secret_readers": "readers of secrets"}
_FIELDS = {Kind.ORGANIZATION: _ORGANIZATION, Kind.PROJECT: _PROJECT, Kind.TEAM: _CONTRACTS}


class _Rule(NamedTuple):
    rule: str
    name: str
    path: str
    node: Node

    @property
    def key(self) -> tuple[str, str, str]:
        return self.rule, self.name, self.path


def rules(base: Mapping[str, Resource], head: Mapping[str, Resource]) -> Iterator[RuleChange]:
    """The rules that differ, sorted by place."""
    found: list[RuleChange] = []
    for path in base.keys() | head.keys():
        one, other = base.get(path), head.get(path)
        if one is None or other is None or one.document.digest != other.document.digest:
            before = {rule.key: rule for rule in _rules(one)}
            after = {rule.key: rule for rule in _rules(other)}
            for key in before.keys() | after.keys():
                found.extend(_change(before.get(key), after.get(key)))
    yield from sorted(found, key=lambda change: (change.path, change.line, change.rule, change.name))


def _change(base: _Rule | None, head: _Rule | None) -> Iterator[RuleChange]:
    if base and head:
        if not same(base.node, head.node):
            cause = next(edits(base.node, head.node, head.path), None)
            line = cause.line if cause and cause.action != "removed" else head.node.at[0]
            yield RuleChange(head.rule, head.name, "changed", head.path, line)
    elif head:
        yield RuleChange(head.rule, head.name, "added", head.path, head.node.at[0])
    elif base:
        yield RuleChange(base.rule, base.name, "removed", base.path, base.node.at[0])


def _rules(resource: Resource | None) -> Iterator[_Rule]:
    if resource is None:
        return
    document, kind = resource.document, resource.location.kind
    if kind is Kind.POLICY:
        yield _Rule("policy", resource.location.name, document.path, document.root)
    for name, rule in _FIELDS.get(kind, {}).items():
        yield from _declared(document, name, rule)
    for one in document.allowances:
        codes = ", ".join(sorted(one.codes))
        # What an allowance says is all that there is of it: it is compared by its words.
        words = f"{codes} until {one.until}: {one.reason}"
        yield _Rule("allowance", codes, document.path, Scalar(words, words, plain=True, at=one.span[1:]))


def _declared(document: Document, name: str, rule: str) -> Iterator[_Rule]:
    node = field(document, name)
    if isinstance(node, MappingNode):
        for key, inner in node.entries.items():
            # It stands where its key does: that is where people look for it.
            yield _Rule(rule, key, document.path, inner._replace(at=node.keys[key]))
    elif isinstance(node, Scalar | Sequence):
        yield _Rule(rule, "", document.path, node)
