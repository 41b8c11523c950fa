"""What differs in the rules: by what bundles are judged, how layers merge, what may be read, what is written."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.fields import get_field
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.queries.diff.diff_model import RuleChange
from envtree.queries.diff.node_edits import FileVersions
from envtree.queries.diff.tree_side import TreeSide
from envtree.queries.layer_statements import are_nodes_equal

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
_RuleKey = tuple[str, str, str]


class _DeclaredRule(NamedTuple):
    rule: str
    name: str
    node: Node


def diff_rules(base: TreeSide, head: TreeSide) -> Iterator[RuleChange]:
    """The rules that differ, sorted by place; what stands in a file that cannot be read is not known."""
    found: list[RuleChange] = []
    for path in (base.files.keys() | head.files.keys()) - base.unread_files - head.unread_files:
        if base.digest(path) != head.digest(path):
            before, after = (dict(_list_rules(side.files.get(path))) for side in (base, head))
            versions = FileVersions(path, base.document(path), head.document(path))
            for key in before.keys() | after.keys():
                found.extend(_diff_rule(before.get(key), after.get(key), versions))
    yield from sorted(found, key=rule_sort_key)


def rule_sort_key(change: RuleChange) -> tuple[str | int, ...]:
    """The order in which changes are told."""
    return change.path, change.line, change.rule, change.name, change.kind


def _diff_rule(base: _DeclaredRule | None, head: _DeclaredRule | None, versions: FileVersions) -> Iterator[RuleChange]:
    if base and head:
        if not are_nodes_equal(base.node, head.node):
            cause = next(versions.diff_nodes(base.node, head.node), None)
            line = cause.line if cause and cause.action != "removed" else head.node.mark[0]
            yield RuleChange(head.rule, head.name, "changed", versions.path, line)
    elif head:
        yield RuleChange(head.rule, head.name, "added", versions.path, head.node.mark[0])
    elif base:
        yield RuleChange(base.rule, base.name, "removed", versions.path, base.node.mark[0])


def _list_rules(resource: Resource | None) -> Iterator[tuple[_RuleKey, _DeclaredRule]]:
    """The rules of a file, each with what it is known by on both sides."""
    if resource is None:
        return
    document, kind = resource.document, resource.location.kind
    if kind is Kind.POLICY:
        yield ("policy", "", ""), _DeclaredRule("policy", resource.location.name, document.root)
    for name, rule in _FIELDS.get(kind, {}).items():
        for one in _list_declared_rules(document, name, rule):
            yield (rule, one.name, ""), one
    seen: Counter[str] = Counter()
    for allowance in document.suppressions:
        codes = ", ".join(sorted(allowance.codes))
        # What an allowance says is all that there is of it: it is known by its words, wherever its line moves.
        words = f"{codes} until {allowance.until}: {allowance.reason}"
        seen[words] += 1
        node = ScalarNode(words, words, is_plain=True, mark=allowance.span[1:])
        yield ("allowance", words, str(seen[words])), _DeclaredRule("allowance", codes, node)


def _list_declared_rules(document: Document, name: str, rule: str) -> Iterator[_DeclaredRule]:
    node = get_field(document, name)
    if isinstance(node, MappingNode):
        for key, inner in node.entries.items():
            # It stands where its key does: that is where people look for it.
            yield _DeclaredRule(rule, key, inner._replace(mark=node.key_marks[key]))
    elif isinstance(node, ScalarNode | SequenceNode):
        yield _DeclaredRule(rule, "", node)
