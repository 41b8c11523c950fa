"""What to say of one fault: found, expected, hint. Nothing here repeats more of a value than `wording` lets through."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest
from envtree.frontend.validate.sections import LAYERS, SECTION
from envtree.frontend.validate.wording import (
    ELSEWHERE,
    FORBIDDEN,
    LIMITS,
    PATTERNS,
    READ_ONLY,
    REQUIRED,
    Pattern,
    count,
    cut,
    described,
    either,
    kind_of,
    name,
    quoted,
    type_name,
)
from envtree.model.resolved import SECTIONS
from envtree.model.schema_fault import Fault
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import is_name


class Phrase(NamedTuple):
    """The words of a finding, with its code."""

    code: str
    message: str
    hint: str = ""


class _Case(NamedTuple):
    """A fault, the text of the scalar at fault as written, and the file's place."""

    fault: Fault
    text: str
    location: Location


def phrase(fault: Fault, text: str, location: Location) -> Phrase:
    """The words for a fault."""
    return _PHRASES.get(fault.keyword, _other)(_Case(fault, text, location))


_SAID_BY_PATH = {
    "team_id": "remove it: the folder says which team the agent is in",
    "project_id": "remove it: the folder says which project this belongs to",
    "environment_ids": "remove it: list the names of environments under 'targets'",
}
_ENVIRONMENT_ONLY = frozenset(
    {"name", "display_name", "type", "inherits", "abstract", "settings", "skill_ids", "policy_ids"}
)
_SECTIONS = frozenset({"env_vars", "secrets", *SECTIONS})


def _unknown(case: _Case) -> Phrase:
    fault, location = case.fault, case.location
    key, root = fault.subject, len(fault.path) == 1
    if root and key in _SAID_BY_PATH and location.kind in (Kind.AGENT, Kind.TEAM):
        return Phrase("ET209", f"{name((key,))} says what the path or 'targets' already says", _SAID_BY_PATH[key])
    known = fault.schema.get("properties", {})
    message = f"{name(fault.path)} is unknown"
    if key in READ_ONLY:
        hint = "remove it: the control plane sets it"
    elif key in _SECTIONS and SECTION in known and location.kind in LAYERS:
        hint = f"write it inside '{SECTION}'"
    elif root and location.kind is Kind.OVERLAY and key in _ENVIRONMENT_ONLY:
        hint = f"write it in 'environments/{location.name}.yaml': an overlay changes values only"
    else:
        hint = did_you_mean(key, known)
    return Phrase("ET201", message, hint)


def _missing(case: _Case) -> Phrase:
    fault = case.fault
    key = fault.subject
    example = fault.schema.get("properties", {}).get(key, {}).get("examples", [None])[0]
    hint = REQUIRED.get(key, "")
    if isinstance(example, (str, int)):
        hint = f"add '{key}', such as '{key}: {cut(str(example))}'"
    return Phrase("ET202", _lacks(fault, key), hint)


def _lacks(fault: Fault, key: str) -> str:
    return (
        f"{name(fault.path)} lacks the required key '{key}'" if fault.path else f"the required key '{key}' is missing"
    )


def _type(case: _Case) -> Phrase:
    fault = case.fault
    found, path = kind_of(fault.found), fault.path
    expected = [fault.argument] if isinstance(fault.argument, str) else list(fault.argument)
    if _is_variable(path) and found in ("null", "object", "array"):
        return _variable(case, found)
    message = f"{name(path)} is {type_name(found)}, expected {either([type_name(kind) for kind in expected])}"
    return Phrase("ET203", message, _type_hint(case, found, expected))


def _is_variable(path: tuple[str | int, ...]) -> bool:
    return path[-3:-1] == (SECTION, "env_vars")


def _variable(case: _Case, found: str) -> Phrase:
    layer = case.location.kind in LAYERS
    message = f"{name(case.fault.path)} is {type_name(found)}, but a variable is text"
    if found == "null":
        removal = "{$delete: true} to remove the variable" if layer else "remove the line"
        return Phrase("ET213", message, f"write '' for an empty text, or {removal}")
    as_text = "join(',')" if found == "array" else "tojson"
    move = f", or move it to 'config' and write ${{{{ config.<key> | {as_text} }}}}" if layer else ""
    return Phrase("ET214", message, f"write it as JSON in quotes{move}")


_BOOLEANS = MappingProxyType(
    {**dict.fromkeys(("yes", "y", "on", "true"), "true"), **dict.fromkeys(("no", "n", "off", "false"), "false")}
)


def _type_hint(case: _Case, found: str, expected: list[str]) -> str:
    if found == "null":
        return "write a value, or remove the line"
    if found == "string" and expected == ["boolean"]:
        return f"write {_BOOLEANS.get(case.text.lower(), 'true or false')}, without quotes"
    if found == "string" and set(expected) <= {"integer", "number", "null"}:
        return "write a number, without quotes"
    if "string" in expected and found in ("integer", "number", "boolean"):
        return "write it in quotes"
    if found == "number" and "integer" in expected:
        return "write it without a fraction"
    if set(expected) <= {"array", "null"}:
        return f"write a list: [{case.text if is_name(case.text) else '…'}]"
    return "write 'key: value' lines below it" if set(expected) <= {"object", "null"} else ""


_ENTITIES = ("agent", "team", "workflow")


def _allowed(case: _Case) -> Phrase:
    fault = case.fault
    allowed = either(list(map(quoted, fault.argument)))
    message = f"{name(fault.path)} is {described(fault.found, fault.path)}, expected {allowed}"
    close = nearest(case.text, [word for word in fault.argument if isinstance(word, str)])
    if fault.path == ("entity_type",) and case.text in _ENTITIES:
        return Phrase("ET204", message, "'planning_mode' says who does the work: make the two agree")
    return Phrase("ET204", message, f"did you mean '{close}'?" if close else "")


def _constant(case: _Case) -> Phrase:
    fault = case.fault
    message = f"{name(fault.path)} is {described(fault.found, fault.path)}, expected {quoted(fault.argument)}"
    right = str(fault.argument)
    return Phrase("ET204", message, "write it without quotes" if case.text == right else f"write {right}")


def _pattern(case: _Case) -> Phrase:
    fault = case.fault
    pattern = _pattern_of(fault)
    if fault.path[-3:-1] == (SECTION, "secrets") and isinstance(fault.path[-1], int):
        message = f"{name(fault.path)} is a path of secrets, but a list names variables"
        return Phrase("ET205", message, "write a map of variable to secret: {DB_PASSWORD: db.password}")
    kinds = fault.schema.get("type", "string")
    others = [type_name(kind) for kind in ("object", "array") if kind in kinds and not isinstance(kinds, str)]
    message = f"{name(fault.path)} is {described(fault.found, fault.path)}, expected {either([*others, pattern.noun])}"
    return Phrase("ET205", message, pattern.rule)


def _pattern_of(fault: Fault) -> Pattern:
    return PATTERNS.get(fault.argument, Pattern("another form", f"it must match {fault.argument}"))


def _key_name(case: _Case) -> Phrase:
    fault, inner = case.fault, case.fault.inner[0]
    if inner.keyword == "pattern":
        pattern = _pattern_of(inner)
        return Phrase("ET205", f"the key {quoted(fault.subject)} is not {pattern.noun}", pattern.rule)
    hint = ELSEWHERE.get(fault.subject, f"write it beside {name(fault.path[-2:-1])}, not in it")
    return Phrase("ET207", f"{name(fault.path)} does not belong there", hint)


_COUNTED = MappingProxyType({"Length": "character", "Items": "element", "Properties": "key"})


def _limit(case: _Case) -> Phrase:
    fault = case.fault
    bound = "at least" if fault.keyword.startswith("min") else "at most"
    noun = _COUNTED.get(fault.keyword[3:])
    if noun is None:
        found, expected = described(fault.found, fault.path), f"{bound} {fault.argument}"
    elif fault.found:
        found, expected = f"{count(len(fault.found), noun)} long", f"{bound} {fault.argument}"
    else:
        found, expected = "empty", f"{bound} {count(fault.argument, noun)}"
    return Phrase("ET206", f"{name(fault.path)} is {found}, expected {expected}", _limit_hint(fault))


def _limit_hint(fault: Fault) -> str:
    key = str(fault.path[-1]) if fault.path else ""
    if key in LIMITS:
        return LIMITS[key]
    if fault.keyword.endswith("imum"):
        least, most = fault.schema.get("minimum"), fault.schema.get("maximum")
        return f"write a number from {least} to {most}" if None not in (least, most) else ""
    if not fault.found:
        return "write a value, or remove the line"
    missing, noun = fault.argument - len(fault.found), _COUNTED[fault.keyword[3:]]
    return f"add {count(missing, noun)}" if missing > 0 else f"leave out {count(-missing, noun)}"


def _twice(case: _Case) -> Phrase:
    fault = case.fault
    element = described(fault.found, fault.path)
    return Phrase(
        "ET207", f"{name(fault.path[:-1])} holds {element} twice, expected each element once", "remove one of them"
    )


_ALTERNATIVES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.POLICY: "a policy is a JSON Schema that envtree checks, or Rego that the control plane checks",
        Kind.WORKFLOW: "a workflow is written as data, or as Python code",
    }
)


def _one_of(case: _Case) -> Phrase:
    fault = case.fault
    keys = [quoted(key) for branch in fault.argument for key in branch.get("required", ())]
    hint = _ALTERNATIVES.get(case.location.kind, "")
    if fault.inner:
        return Phrase("ET207", f"{name(fault.path)} has neither {' nor '.join(keys)}, expected one of them", hint)
    return Phrase("ET207", f"{name(fault.path)} has both {' and '.join(keys)}, expected one of them", hint)


def _any_of(case: _Case) -> Phrase:
    fault = case.fault
    key = fault.inner[0].subject
    return Phrase("ET202", _lacks(fault, key), "a server with 'url' needs 'type: http' or 'type: sse'")


def _depends(case: _Case) -> Phrase:
    fault = case.fault
    return Phrase(
        "ET207",
        f"{name(fault.path)} goes only with '{fault.subject}', which is missing",
        "remove one, or add the other",
    )


def _forbidden(case: _Case) -> Phrase:
    fault = case.fault
    key = str(fault.path[-1]) if fault.path else ""
    return Phrase("ET207", FORBIDDEN.get(key, f"{name(fault.path)} is not allowed here"), "remove one of the two")


def _not(case: _Case) -> Phrase:
    message = f"{name(case.fault.path)} begins with 'local-exec', which the control plane keeps for itself"
    return Phrase("ET207", message, "use another name")


def _other(case: _Case) -> Phrase:
    return Phrase("ET207", f"{name(case.fault.path)} breaks the rule '{case.fault.keyword}' of its schema")


_PHRASES: Mapping[str, Callable[[_Case], Phrase]] = MappingProxyType(
    {
        "additionalProperties": _unknown,
        "required": _missing,
        "type": _type,
        "enum": _allowed,
        "const": _constant,
        "pattern": _pattern,
        "propertyNames": _key_name,
        **dict.fromkeys(
            ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties"), _limit
        ),
        "uniqueItems": _twice,
        "oneOf": _one_of,
        "anyOf": _any_of,
        "dependentRequired": _depends,
        "": _forbidden,
        "not": _not,
    }
)
