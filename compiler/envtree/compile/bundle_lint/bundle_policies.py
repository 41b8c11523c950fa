"""Check bundles against the organization's policies, JSON Schemas under which unknown values neither pass nor fail."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

from envtree.compile.bundle_lint.assertions import compile_schema
from envtree.compile.bundle_lint.partial_validator import PartialValidator
from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.compile.bundle_lint.violation import DataPath, Violation
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan, SkippedCheck
from envtree.model.keypath import format_path
from envtree.model.resolved import ERROR_VALUE, Bundle, HiddenValue, Resolved, hidden_parts
from envtree.model.selector import compile_selector
from envtree.model.workspace import Policy

_CODE_BY_SEVERITY: Mapping[str, str] = {"error": "ET704", "warning": "ET753", "info": "ET754"}


class _CompiledPolicy:
    """A policy with its compiled selectors, a fast validator, and a slower one that explains violations."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.selects = compile_selector(policy.selectors)
        self.is_valid: Callable[[Any], bool] = compile_schema(policy.schema).is_valid

    @cached_property
    def validator(self) -> PartialValidator:
        """The validator that handles unknown values; made on demand, if a value is unknown or invalid."""
        return PartialValidator(self.policy.schema)


class BundlePolicies:
    """The policies of a tree, their schemas compiled once."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._rules = tuple(map(_CompiledPolicy, policies))

    def check(self, resolved: Resolved, bundle: Bundle, diags: Diagnostics) -> None:
        """Check one bundle against the policies that select it."""
        rules = [rule for rule in self._rules if rule.selects(bundle.target.id)]
        if not rules:
            return
        hidden = [value for _, value in hidden_parts(bundle.data)]
        if any(value is ERROR_VALUE for value in hidden):
            return  # the error has been reported, and ERROR_VALUE must not cause a second finding
        has_unknowns = any(not value.is_known for value in hidden)
        data = _reveal_known(bundle.data) if hidden else bundle.data
        for rule in rules:
            if has_unknowns or not rule.is_valid(data):
                _check_policy(rule, data, has_unknowns, resolved, diags)


def _reveal_known(value: Any) -> Any:
    """Return the data with all known hidden values in clear."""
    if isinstance(value, dict):
        return {key: _reveal_known(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_reveal_known(child) for child in value]
    return value.reveal() if isinstance(value, HiddenValue) and value.is_known else value


def _check_policy(rule: _CompiledPolicy, data: Any, has_unknowns: bool, resolved: Resolved, diags: Diagnostics) -> None:
    violations, undecided = rule.validator(data)
    if not has_unknowns and not violations:
        violations = [Violation((), "what this bundle is not")]
    for path in undecided:
        key, id = format_path(tuple(map(str, path))), resolved.target.id
        diags.skip(SkippedCheck(origin_span(resolved, path), _CODE_BY_SEVERITY[rule.policy.severity], key, id))
    if violations:
        _report_violations(rule.policy, violations, resolved, diags)


def _report_violations(policy: Policy, violations: Iterable[Violation], resolved: Resolved, diags: Diagnostics) -> None:
    """Report one finding for each path that violates a policy, with the policy's own message if it has one."""
    id = resolved.target.id
    rules_by_path: dict[DataPath, dict[str, None]] = {}
    for path, rule in sorted(set(violations), key=str):
        rules_by_path.setdefault(path, {})[rule] = None
    for path, rules in rules_by_path.items():
        key = format_path(tuple(map(str, path)))
        subject = f"'{key}'" if key else "this bundle"
        message = f"{subject} breaks policy '{policy.name}'" + (f": {policy.message}" if policy.message else "")
        related = (RelatedSpan(policy.span, "the policy"),)
        hint = f"the policy's schema says: {', '.join(rules)}"
        diags.add(
            Diagnostic(origin_span(resolved, path), _CODE_BY_SEVERITY[policy.severity], message, hint, related, key, id)
        )
