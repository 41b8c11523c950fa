"""Policies of the organization: a JSON Schema over each selected bundle; what is unknown neither passes nor fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from envtree.diagnostic import Diagnostic, Diagnostics, NotChecked, Related
from envtree.keypath import format_path
from envtree.lint.breach import Breach, Path, breach
from envtree.lint.place import supplier
from envtree.resolved import HOLE, Bundle, Hidden, Resolved, reveal
from envtree.selector import selector
from envtree.workspace import Policy

CODES: Mapping[str, str] = {"error": "ET704", "warning": "ET753", "info": "ET754"}


class _Rule(NamedTuple):
    policy: Policy
    selects: Callable[[str], bool]
    validator: Any


class Policies:
    """The policies of a tree, their schemas compiled once."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._rules = tuple(_Rule(policy, selector(policy.selectors), _compile(policy)) for policy in policies)

    def check(self, resolved: Resolved, bundle: Bundle, diags: Diagnostics) -> None:
        """Check one bundle against the policies that select it."""
        rules = [rule for rule in self._rules if rule.selects(bundle.target.id)]
        if not rules:
            return
        hidden = list(_hidden(bundle.data))
        if any(value is HOLE for value in hidden):
            return  # what is broken has been reported, and a hole must not cause a second finding
        unknown = any(not value.known for value in hidden)
        data = bundle.data if unknown else reveal(bundle.data) if hidden else bundle.data
        for rule in rules:
            if unknown:
                _check_partly(rule.policy, data, resolved, diags)
            elif not rule.validator.is_valid(data):
                found = rule.validator.iter_errors(data)
                _report(rule.policy, [_breach(error, rule.policy) for error in found], resolved, diags)


def _compile(policy: Policy) -> Any:
    schema = dict(policy.schema) if isinstance(policy.schema, Mapping) else policy.schema
    # The engine without backtracking: a policy's pattern cannot hang a run.
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=jsonschema_rs.RegexOptions(), offline=True)


def _hidden(value: Any) -> Iterator[Hidden]:
    if isinstance(value, Hidden):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _hidden(child)
    elif isinstance(value, list):
        for child in value:
            yield from _hidden(child)


def _check_partly(policy: Policy, data: Any, resolved: Resolved, diags: Diagnostics) -> None:
    # Only here, for it costs tens of milliseconds to import the reference implementation.
    from envtree.lint.unknowns import judge  # noqa: PLC0415

    errors, undecided = judge(policy.schema, data)
    for path in undecided:
        key = format_path(tuple(map(str, path)))
        diags.skip(NotChecked(supplier(resolved, path), CODES[policy.severity], key, resolved.merged.stack.target.id))
    if errors:
        _report(policy, errors, resolved, diags)


def _breach(error: Any, policy: Policy) -> Breach:
    """What an error says of the schema alone: its message quotes the value, which may be a secret."""
    argument: Any = policy.schema
    for part in error.schema_path:
        argument = argument[part]
    return breach(error.instance_path, str(error.schema_path[-1] if error.schema_path else False), argument)


def _report(policy: Policy, breaches: Iterable[Breach], resolved: Resolved, diags: Diagnostics) -> None:
    """One finding a policy and a place; the policy's own message where it has one."""
    id = resolved.merged.stack.target.id
    rules: dict[Path, dict[str, None]] = {}
    for path, rule in sorted(set(breaches), key=str):
        rules.setdefault(path, {})[rule] = None
    for path, broken in rules.items():
        key = format_path(tuple(map(str, path)))
        where = f"'{key}' breaks" if key else "this bundle breaks"
        message = f"{where} policy '{policy.name}'" + (f": {policy.message}" if policy.message else "")
        related = (Related(policy.span, "the policy"),)
        hint = f"the policy's schema says: {', '.join(broken)}"
        diags.add(Diagnostic(supplier(resolved, path), CODES[policy.severity], message, hint, related, key, id))
