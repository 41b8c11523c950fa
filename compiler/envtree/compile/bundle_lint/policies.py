"""Policies of the organization: a JSON Schema over each selected bundle; what is unknown neither passes nor fails."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from envtree.compile.bundle_lint.assertions import compiled
from envtree.compile.bundle_lint.breach import Breach, Path
from envtree.compile.bundle_lint.place import supplier
from envtree.compile.bundle_lint.unknowns import Judge
from envtree.model.diagnostic import Diagnostic, Diagnostics, NotChecked, Related
from envtree.model.keypath import format_path
from envtree.model.resolved import HOLE, Bundle, Hidden, Resolved, hidden_parts
from envtree.model.selector import selector
from envtree.model.workspace import Policy

_CODES: Mapping[str, str] = {"error": "ET704", "warning": "ET753", "info": "ET754"}


class _Rule:
    """A policy, what it selects, and its schema: compiled to be fast, and as a judge that can say why."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.selects = selector(policy.selectors)
        self.is_valid: Callable[[Any], bool] = compiled(policy.schema).is_valid

    @cached_property
    def judge(self) -> Judge:
        """The schema by parts; not needed as long as all is known and fits."""
        return Judge(self.policy.schema)


class Policies:
    """The policies of a tree, their schemas compiled once."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._rules = tuple(map(_Rule, policies))

    def check(self, resolved: Resolved, bundle: Bundle, diags: Diagnostics) -> None:
        """Check one bundle against the policies that select it."""
        rules = [rule for rule in self._rules if rule.selects(bundle.target.id)]
        if not rules:
            return
        hidden = [value for _, value in hidden_parts(bundle.data)]
        if any(value is HOLE for value in hidden):
            return  # what is broken has been reported, and a hole must not cause a second finding
        unknown = any(not value.known for value in hidden)
        data = _revealed(bundle.data) if hidden else bundle.data
        for rule in rules:
            if unknown or not rule.is_valid(data):
                _judge(rule, data, unknown, resolved, diags)


def _revealed(value: Any) -> Any:
    """The data, and of what is hidden all that is known."""
    if isinstance(value, dict):
        return {key: _revealed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_revealed(child) for child in value]
    return value.reveal() if isinstance(value, Hidden) and value.known else value


def _judge(rule: _Rule, data: Any, unknown: bool, resolved: Resolved, diags: Diagnostics) -> None:
    breaches, undecided = rule.judge(data)
    if not unknown and not breaches:
        breaches = [Breach((), "what this bundle is not")]
    for path in undecided:
        key, id = format_path(tuple(map(str, path))), resolved.target.id
        diags.skip(NotChecked(supplier(resolved, path), _CODES[rule.policy.severity], key, id))
    if breaches:
        _report(rule.policy, breaches, resolved, diags)


def _report(policy: Policy, breaches: Iterable[Breach], resolved: Resolved, diags: Diagnostics) -> None:
    """One finding a policy and a place; the policy's own message where it has one."""
    id = resolved.target.id
    rules: dict[Path, dict[str, None]] = {}
    for path, rule in sorted(set(breaches), key=str):
        rules.setdefault(path, {})[rule] = None
    for path, broken in rules.items():
        key = format_path(tuple(map(str, path)))
        where = f"'{key}' breaks" if key else "this bundle breaks"
        message = f"{where} policy '{policy.name}'" + (f": {policy.message}" if policy.message else "")
        related = (Related(policy.span, "the policy"),)
        hint = f"the policy's schema says: {', '.join(broken)}"
        diags.add(Diagnostic(supplier(resolved, path), _CODES[policy.severity], message, hint, related, key, id))
