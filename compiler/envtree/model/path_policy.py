"""The policies of `merge` in organization.yaml, and the lookup of the most specific one for a path."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from envtree.model.keypath import KeyPath
from envtree.model.span import Span

# The segments of a pattern that match any one segment, and any number of segments.
ONE, ANY = "*", "**"


class ListPolicy(StrEnum):
    """How the list of a layer is combined with the inherited one."""

    REPLACE = "replace"
    APPEND = "append"
    PREPEND = "prepend"
    UNION = "union"
    UNIQUE = "unique"
    BY_KEY = "by_key"


class PathPolicy(NamedTuple):
    """How the values at a path are merged; `span` is the declaration, None for a built-in policy.

    Under `by_key` the elements of a list are identified by `key`. With `replaces_maps` a map replaces the inherited one
    as a whole; with `must_exist` only the organization may add a value.
    """

    lists: ListPolicy
    key: str = ""
    replaces_maps: bool = False
    must_exist: bool = False
    span: Span | None = None


PathPolicies = Mapping[KeyPath, PathPolicy]

BUILT_IN_POLICIES: PathPolicies = {("integration_ids",): PathPolicy(ListPolicy.UNION)}
_REPLACE = PathPolicy(ListPolicy.REPLACE)
_SHAPING = frozenset({ListPolicy.BY_KEY, ListPolicy.UNIQUE})

# The ranks of segments, the most specific first; a pattern that goes on is more specific than one that ends there.
_LITERAL, _ONE, _ANY, _END = range(4)
_RANKS = {ONE: _ONE, ANY: _ANY}


class PolicyLookup:
    """The policies of paths inside `execution_environment`; `*` in a pattern is one segment, `**` any number.

    A `**` at the end is one segment or more. Built-in policies are literal paths, so they tie with no other.
    """

    def __init__(self, declared: PathPolicies) -> None:
        self._declared = declared
        self._root = _PatternNode({})
        for pattern in declared:
            self._root.insert(pattern)
        self._cache: dict[KeyPath, PathPolicy] = {}
        self._ties: dict[KeyPath, tuple[KeyPath, KeyPath]] = {}
        self.any_by_key = any(policy.lists is ListPolicy.BY_KEY for policy in declared.values())
        # Policies that change or check a list of which nothing is inherited.
        self.any_shapes_new_lists = any(policy.lists in _SHAPING for policy in declared.values())
        self.any_replaces_maps = any(policy.replaces_maps for policy in declared.values())
        self.any_must_exist = any(policy.must_exist for policy in declared.values())

    def at(self, path: KeyPath) -> PathPolicy:
        """Return the policy of the value at a path."""
        policy = self._cache.get(path)
        if policy is None:
            policy = self._cache[path] = self._find(path)
        return policy

    def matching(self, path: KeyPath, *, unknown: str = "") -> list[KeyPath]:
        """Return the patterns that match a path, the most specific first; all segments match one that is `unknown`."""
        nodes = {*self._root.reachable()}
        for step in path:
            nodes = {reached for node in nodes for after in node.after(step, unknown) for reached in after.reachable()}
        return sorted((node.pattern for node in nodes if node.pattern), key=lambda found: (_specificity(found), found))

    def drain_ties(self) -> Iterator[tuple[KeyPath, tuple[KeyPath, KeyPath]]]:
        """Return the paths looked up since the last call for which two patterns are equally specific."""
        while self._ties:
            yield self._ties.popitem()

    def _find(self, path: KeyPath) -> PathPolicy:
        patterns = self.matching(path)
        if not patterns:
            return _REPLACE
        if len(patterns) > 1 and _specificity(patterns[0]) == _specificity(patterns[1]):
            self._ties[path] = patterns[0], patterns[1]
        return self._declared[patterns[0]]


class _PatternNode:
    """A node in the tree of all patterns, after some of their segments; `pattern` is the one that ends there.

    A `**` has two nodes with the same children: one before any segment of a path, whose `loop` is the other.
    """

    def __init__(self, children: "dict[str, _PatternNode]") -> None:
        self.children = children
        self.loop: _PatternNode | None = None
        self.pattern: KeyPath = ()

    def insert(self, pattern: KeyPath) -> None:
        """Add the nodes of a pattern."""
        node = self
        for part in pattern:
            if part not in node.children:
                node.children[part] = _any_node() if part == ANY else _PatternNode({})
            node = node.children[part]
        (node.loop or node).pattern = pattern

    def reachable(self) -> "Iterator[_PatternNode]":
        """Yield the node, and those of each `**` after it, which may match no segment."""
        node: _PatternNode | None = self
        while node:
            yield node
            node = node.children.get(ANY)

    def after(self, step: str, unknown: str) -> "Iterator[_PatternNode]":
        """Yield the nodes after one more segment of a path."""
        if step == unknown:
            yield from self.children.values()
        else:
            yield from filter(None, map(self.children.get, (step, ONE)))
        if self.loop:
            yield self.loop


def _any_node() -> _PatternNode:
    before = _PatternNode({})
    after = _PatternNode(before.children)
    before.loop = after.loop = after
    return before


def _specificity(pattern: KeyPath) -> tuple[int, list[int]]:
    """Return a key that sorts patterns: most literal segments first, then by the ranks of segments from the left."""
    ranks = [_RANKS.get(segment, _LITERAL) for segment in pattern]
    return -ranks.count(_LITERAL), [*ranks, _END]
