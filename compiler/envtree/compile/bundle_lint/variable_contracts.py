"""Check variables against their contracts: the last declaration of a name applies, to the final text of each bundle."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import re2

from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.diagnostics.suggest import nearest_name
from envtree.model.bundle_entities import contracts_by_team
from envtree.model.credential_patterns import detect_credential_form, is_credential_variable
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan, SkippedCheck
from envtree.model.resolved import ERROR_VALUE, HiddenValue, Resolved
from envtree.model.workspace import Contract, Workspace

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_RE2_OPTIONS = re2.Options()
_RE2_OPTIONS.log_errors = False

# The rules that an unknown value may violate; it may also violate any type except `string`.
_VALUE_RULES = frozenset({"enum", "pattern", "minimum", "maximum"})


class VariableContracts:
    """The contracts of every team, and whether undeclared names are errors."""

    def __init__(self, workspace: Workspace) -> None:
        self._declared = contracts_by_team(workspace)
        self._strict = workspace.organization.strict

    def check(self, resolved: Resolved, diags: Diagnostics) -> None:
        """Check the variables of one bundle."""
        target = resolved.target
        declared = self._declared[target.project, target.team]
        has_secret_contracts = any(contract.rules.get("secret") for contract in declared.values())
        for name, contract in declared.items():
            environments = contract.rules.get("environments")
            if environments is None or target.environment in environments:
                _check_contract(name, contract, resolved, diags, has_secret_contracts=has_secret_contracts)
        if self._strict:
            for name in resolved.env_vars.keys() - declared.keys():
                message = f"variable '{name}' is not declared, and 'strict_variables' is on"
                suggestion = nearest_name(name, declared)
                hint = f"did you mean '{suggestion}'?" if suggestion else "declare it in 'variables', if it is meant"
                _report("ET703", name, message, hint, resolved, diags)


def _is_computed(name: str, resolved: Resolved) -> bool:
    """Report whether a value may contain another one, which may be one that should have come from a secret."""
    leaf = resolved.merged.section_entries("env_vars").get(name)
    return leaf is not None and leaf.is_dynamic


def _missing_finding(name: str, contract: Contract, resolved: Resolved) -> Diagnostic:
    message = f"variable '{name}' is required, but nothing sets it"
    hint = str(contract.rules.get("description") or "set it in 'env_vars' or 'secrets' of one of the bundle's layers")
    # Reported at the contract: only the author knows the right layer for the variable, and many bundles may lack it.
    return Diagnostic(contract.span, "ET702", message, hint, key=f"env_vars.{name}", bundle=resolved.target.id)


def _first_broken_rule(text: str, rules: Mapping[str, Any]) -> str | None:
    broken_rules = (rule for rule in _RULE_CHECKS if rule in rules and not _RULE_CHECKS[rule](text, rules[rule]))
    return next(broken_rules, None)


def _check_contract(
    name: str, contract: Contract, resolved: Resolved, diags: Diagnostics, *, has_secret_contracts: bool
) -> None:
    rules, related = contract.rules, RelatedSpan(contract.span, "the contract")
    if name not in resolved.env_vars:
        if rules.get("required"):
            diags.add(_missing_finding(name, contract, resolved))
        return
    if deprecated := rules.get("deprecated"):
        hint = deprecated if isinstance(deprecated, str) else "remove it"
        _report("ET755", name, f"variable '{name}' is deprecated", hint, resolved, diags, related)
    value = resolved.env_vars[name]
    if value is ERROR_VALUE:
        return
    is_secret = isinstance(value, HiddenValue) and value.secret
    if rules.get("secret") and not is_secret:
        # Neither the value nor its line is shown, and it is not checked further, since it has to be replaced anyway.
        hint = "list it under 'secrets', and take it out of 'env_vars'"
        _report("ET706", name, f"variable '{name}' must come from a secret", hint, resolved, diags, related)
        return
    if rules.get("secret") is False and is_secret:
        hint = "write it under 'env_vars', and take it out of 'secrets'"
        _report("ET701", name, f"variable '{name}' must not come from a secret", hint, resolved, diags, related)
    if isinstance(value, HiddenValue):
        if not value.is_known:
            if rules.get("type", "string") != "string" or rules.keys() & _VALUE_RULES:
                span = origin_span(resolved, ("env_vars", name))
                diags.skip(SkippedCheck(span, "ET701", f"env_vars.{name}", resolved.target.id))
            return
        value = value.reveal()
    if rule := _first_broken_rule(str(value), rules):
        is_hidden = (
            is_secret
            or detect_credential_form(str(value))
            or is_credential_variable(name, str(value))
            or (has_secret_contracts and _is_computed(name, resolved))
        )
        description = "a value that is not shown" if is_hidden else f"'{_truncate(str(value))}'"
        message = f"variable '{name}' is {description}, expected {_EXPECTATIONS[rule](rules[rule])}"
        _report("ET701", name, message, str(rules.get("description", "")), resolved, diags, related)


def _report(
    code: str, name: str, message: str, hint: str, resolved: Resolved, diags: Diagnostics, *related: RelatedSpan
) -> None:
    span = origin_span(resolved, ("env_vars", name))
    id = resolved.target.id
    diags.add(Diagnostic(span, code, message, hint, related, f"env_vars.{name}", id))


def _truncate(value: str) -> str:
    shown = value if len(value) <= 40 else value[:39] + "…"
    return json.dumps(shown, ensure_ascii=False)[1:-1]


def _has_type(value: str, type: str) -> bool:
    if type == "boolean":
        return value in ("true", "false")
    if type in ("integer", "number"):
        return (_INTEGER if type == "integer" else _NUMBER).fullmatch(value) is not None
    if type == "url":
        return _is_url(value)
    return type != "json" or _is_json(value)


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return bool(parts.scheme and parts.hostname and parts.port != 0) and not re.search(r"\s", value)
    except ValueError:
        return False


def _is_json(value: str) -> bool:
    try:
        json.loads(value, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _reject_constant(name: str) -> Any:
    raise ValueError(name)


def _parse_number(value: str) -> float | None:
    return float(value) if _NUMBER.fullmatch(value) else None


def _at_least(value: str, least: float) -> bool:
    number = _parse_number(value)
    return number is None or number >= least


def _at_most(value: str, most: float) -> bool:
    number = _parse_number(value)
    return number is None or number <= most


def _is_allowed(value: str, allowed: list[str]) -> bool:
    return value in allowed


def _matches_pattern(value: str, pattern: str) -> bool:
    try:
        return re2.search(pattern, value, _RE2_OPTIONS) is not None
    except re2.error:
        return True  # reported at the pattern itself


_RULE_CHECKS: Mapping[str, Callable[[str, Any], bool]] = {
    "type": _has_type,
    "enum": _is_allowed,
    "pattern": _matches_pattern,
    "minimum": _at_least,
    "maximum": _at_most,
}

_EXPECTATIONS: Mapping[str, Callable[[Any], str]] = {
    "type": lambda type: f"type {type}",
    "enum": lambda allowed: f"one of: {', '.join(allowed)}",
    "pattern": lambda pattern: f"a match of the pattern {pattern}",
    "minimum": lambda least: f"at least {least}",
    "maximum": lambda most: f"at most {most}",
}
