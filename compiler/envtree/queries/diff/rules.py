"""What differs in the rules: by what bundles are judged, how layers merge, what may be read, what is written."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.fields import field
from envtree.model.nodes import Document, Node, Scalar, Sequence
from envtree.model.nodes import Mapping as MappingNode
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.queries.diff.edits import Versions
from envtree.queries.diff.model import RuleChange
from envtree.queries.diff.side import Side
from envtree.queries.layer_statements import same

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
    "output": "output setting",
}
_CONTRACTS = {"variables": "contract"}
_PROJECT = _CONTRACTS | {"owners": "owners", "secret_readers": "readers of secrets"}
_FIELDS = {Kind.ORGANIZATION: _ORGANIZATION, Kind.PROJECT: _PROJECT, Kind.TEAM: _CONTRACTS}
_Key = tuple[str, str, str]


class _Rule(NamedTuple):
    rule: str
    name: str
    node: Node


def rules(base: Side, head: Side) -> Iterator[RuleChange]:
    """The rules that differ, sorted by place; what stands in a file that cannot be read is not known."""
    found: list[RuleChange] = []
    for path in (base.files.keys() | head.files.keys()) - base.unread - head.unread:
        if base.digest(path) != head.digest(path):
            before, after = (dict(_rules(side.files.get(path))) for side in (base, head))
            versions = Versions(path, base.document(path), head.document(path))
            for key in before.keys() | after.keys():
                found.extend(_change(before.get(key), after.get(key), versions))
    yield from sorted(found, key=placed)


def placed(change: RuleChange) -> tuple[str | int, ...]:
    """The order in which changes are told."""
    return change.path, change.line, change.rule, change.name, change.kind


def _change(base: _Rule | None, head: _Rule | None, versions: Versions) -> Iterator[RuleChange]:
    if base and head:
        if not same(base.node, head.node):
            cause = next(versions.edits(base.node, head.node), None)
            line = cause.line if cause and cause.action != "removed" else head.node.at[0]
            yield RuleChange(head.rule, head.name, "changed", versions.path, line)
    elif head:
        yield RuleChange(head.rule, head.name, "added", versions.path, head.node.at[0])
    elif base:
        yield RuleChange(base.rule, base.name, "removed", versions.path, base.node.at[0])


def _rules(resource: Resource | None) -> Iterator[tuple[_Key, _Rule]]:
    """The rules of a file, each with what it is known by on both sides."""
    if resource is None:
        return
    document, kind = resource.document, resource.location.kind
    if kind is Kind.POLICY:
        yield ("policy", "", ""), _Rule("policy", resource.location.name, document.root)
    for name, rule in _FIELDS.get(kind, {}).items():
        for one in _declared(document, name, rule):
            yield (rule, one.name, ""), one
    seen: Counter[str] = Counter()
    for allowance in document.allowances:
        codes = ", ".join(sorted(allowance.codes))
        # What an allowance says is all that there is of it: it is known by its words, wherever its line moves.
        words = f"{codes} until {allowance.until}: {allowance.reason}"
        seen[words] += 1
        node = Scalar(words, words, plain=True, at=allowance.span[1:])
        yield ("allowance", words, str(seen[words])), _Rule("allowance", codes, node)


def _declared(document: Document, name: str, rule: str) -> Iterator[_Rule]:
    node = field(document, name)
    if isinstance(node, MappingNode):
        for key, inner in node.entries.items():
            # It stands where its key does: that is where people look for it.
            yield _Rule(rule, key, inner._replace(at=node.keys[key]))
    elif isinstance(node, Scalar | Sequence):
        yield _Rule(rule, "", node)
