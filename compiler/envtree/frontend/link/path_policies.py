"""Link `merge` in organization.yaml: the policies of paths, and findings about those that can never apply."""

from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import as_mapping, get_field, get_text
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import Document, MappingNode, Node
from envtree.model.path_policy import ANY, ONE, ListPolicy, PathPolicies, PathPolicy

_POLICIES_BY_NAME = {policy.value: policy for policy in ListPolicy if policy is not ListPolicy.BY_KEY}
_ANY_DEPTH = 1_000_000


class _Depths(NamedTuple):
    """The lengths of the paths in a section, its name included, at which there may be lists, maps and any values."""

    lists: range
    maps: range
    values: range


_NONE, _ONLY_SECTION, _ANYWHERE = range(0), range(1, 2), range(1, _ANY_DEPTH)
_DEPTHS_BY_SECTION = {
    "config": _Depths(range(2, _ANY_DEPTH), _ANYWHERE, _ANYWHERE),
    "mcp_servers": _Depths(range(3, _ANY_DEPTH), _ANYWHERE, _ANYWHERE),
    "integration_ids": _Depths(_ONLY_SECTION, _NONE, _ONLY_SECTION),
    "working_dir": _Depths(_NONE, _NONE, _ONLY_SECTION),
} | dict.fromkeys(("env_vars", "secrets", "endpoints", "feature_flags"), _Depths(_NONE, _ONLY_SECTION, range(1, 3)))


def link_path_policies(document: Document, diags: Diagnostics) -> PathPolicies:
    """Return the policies that organization.yaml declares; report paths that are malformed or equal, or never apply."""
    declared = as_mapping(get_field(document, "merge"))
    policies: dict[KeyPath, PathPolicy] = {}
    for text, node in (declared.entries if declared else {}).items():
        assert declared is not None
        policy = _read_policy(node)
        if policy is None:
            continue  # reported by the schema check
        span = document.key_span(declared, text)
        try:
            path = parse_path(text)
        except ValueError as error:
            diags.add(Diagnostic(span, "ET207", f"'{text}' is not a dotted path: {error}", key="merge"))
            continue
        if path in policies:
            message = f"'{text}' spells a path that another policy has, so neither takes precedence"
            diags.add(Diagnostic(span, "ET207", message, "remove one of them", key="merge"))
        elif reason := _why_never_applies(path, policy):
            message = f"the policy of '{text}' can never apply: {reason}"
            diags.add(Diagnostic(span, "ET220", message, "correct the path or the policy, or remove it", key="merge"))
        policies[path] = policy._replace(span=span)
    return policies


def _read_policy(node: Node) -> PathPolicy | None:
    if not isinstance(node, MappingNode):
        policy = _POLICIES_BY_NAME.get(get_text(node) or "")
        return PathPolicy(policy, replaces_maps=policy is ListPolicy.REPLACE) if policy else None
    if "override" not in node.entries:
        return PathPolicy(ListPolicy.BY_KEY, get_text(node.entries.get("by_key")) or "name")
    lists = _read_policy(node.entries["list"]) if "list" in node.entries else PathPolicy(ListPolicy.REPLACE)
    return lists and lists._replace(must_exist=True, replaces_maps=False)


def _why_never_applies(pattern: KeyPath, policy: PathPolicy) -> str:
    """Return why no value at the paths of a pattern can have the policy; empty if one can."""
    shortest = sum(part != ANY for part in pattern) + (pattern[-1] == ANY)
    lengths = range(shortest, _ANY_DEPTH if ANY in pattern else shortest + 1)
    sections = [depths for name, depths in _DEPTHS_BY_SECTION.items() if pattern[0] in (ONE, ANY, name)]
    if policy.must_exist:
        if any(_overlap(lengths, depths.values) for depths in sections):
            return ""
        return f"no value of '{pattern[0]}' has a path of {shortest} segments"
    if any(_overlap(lengths, depths.lists) for depths in sections):
        return ""
    if not policy.replaces_maps:
        return f"there is no list, and '{policy.lists}' is for lists"
    return "" if any(_overlap(lengths, depths.maps) for depths in sections) else "there is no list and no map"


def _overlap(left: range, right: range) -> bool:
    return max(left.start, right.start) < min(left.stop, right.stop)
