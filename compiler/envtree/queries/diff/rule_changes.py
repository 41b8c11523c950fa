"""Compare the rules of two trees: how bundles are checked, layers are merged, secrets are read, output is written."""

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

# The kind of rule in each field; each key of a map is a rule of its own.
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
    """Yield the rules that differ, sorted by location, without those in files that cannot be read."""
    changes: list[RuleChange] = []
    for path in (base.files.keys() | head.files.keys()) - base.unread_files - head.unread_files:
        if base.digest(path) != head.digest(path):
            base_rules, head_rules = (dict(_list_rules(side.files.get(path))) for side in (base, head))
            versions = FileVersions(path, base.document(path), head.document(path))
            for key in base_rules.keys() | head_rules.keys():
                changes.extend(_diff_rule(base_rules.get(key), head_rules.get(key), versions))
    yield from sorted(changes, key=rule_sort_key)


def rule_sort_key(change: RuleChange) -> tuple[str | int, ...]:
    """Return the sort key of a change: its location, then the rule."""
    return change.path, change.line, change.rule, change.name, change.kind


def _diff_rule(base: _DeclaredRule | None, head: _DeclaredRule | None, versions: FileVersions) -> Iterator[RuleChange]:
    if base and head:
        if not are_nodes_equal(base.node, head.node):
            cause = next(versions.diff_nodes(base.node, head.node), None)
            line = cause.line if cause and cause.action != "removed" else head.node.mark[0]
            yield RuleChange(rule=head.rule, name=head.name, kind="changed", path=versions.path, line=line)
    elif head:
        yield RuleChange(rule=head.rule, name=head.name, kind="added", path=versions.path, line=head.node.mark[0])
    elif base:
        yield RuleChange(rule=base.rule, name=base.name, kind="removed", path=versions.path, line=base.node.mark[0])


def _list_rules(resource: Resource | None) -> Iterator[tuple[_RuleKey, _DeclaredRule]]:
    """Yield the rules of a file, each with the key that identifies it on both sides."""
    if resource is None:
        return
    document, kind = resource.document, resource.location.kind
    if kind is Kind.POLICY:
        yield ("policy", "", ""), _DeclaredRule("policy", resource.location.name, document.root)
    for name, rule in _FIELDS.get(kind, {}).items():
        for declared in _list_declared_rules(document, name, rule):
            yield (rule, declared.name, ""), declared
    occurrences: Counter[str] = Counter()
    for suppression in document.suppressions:
        codes = ", ".join(sorted(suppression.codes))
        # A suppression is identified by its text, so that moving its line is no change.
        text = f"{codes} until {suppression.until}: {suppression.reason}"
        occurrences[text] += 1
        node = ScalarNode(text, text, is_plain=True, mark=suppression.span[1:])
        yield ("allowance", text, str(occurrences[text])), _DeclaredRule("allowance", codes, node)


def _list_declared_rules(document: Document, name: str, rule: str) -> Iterator[_DeclaredRule]:
    node = get_field(document, name)
    if isinstance(node, MappingNode):
        for key, inner in node.entries.items():
            # The location of a rule is that of its key.
            yield _DeclaredRule(rule, key, inner._replace(mark=node.key_marks[key]))
    elif isinstance(node, ScalarNode | SequenceNode):
        yield _DeclaredRule(rule, "", node)
