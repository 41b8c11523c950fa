"""Word schema faults: actual, expected, hint. Values appear in messages only as `message_text` allows."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean, nearest_name
from envtree.frontend.validate.execution_environment import EXECUTION_ENVIRONMENT, LAYER_KINDS
from envtree.frontend.validate.message_text import (
    FORBIDDEN_KEY_MESSAGES,
    LIMIT_HINTS,
    PATTERN_DESCRIPTIONS,
    READ_ONLY_KEYS,
    RELOCATION_HINTS,
    REQUIRED_KEY_HINTS,
    PatternDescription,
    describe_value,
    format_count,
    format_key,
    join_alternatives,
    json_type,
    quote_value,
    truncate,
    type_name,
)
from envtree.model.resolved import SECTIONS
from envtree.model.schema_fault import SchemaFault
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import is_valid_name


class FaultMessage(NamedTuple):
    """The code and the texts of a finding."""

    code: str
    message: str
    hint: str = ""


class _FaultContext(NamedTuple):
    """A fault, the text of the faulty scalar as written, and the location of the file."""

    fault: SchemaFault
    text: str
    location: Location


def describe_fault(fault: SchemaFault, text: str, location: Location) -> FaultMessage:
    """Return the code and the texts for a fault."""
    return _MESSAGE_BUILDERS.get(fault.keyword, _other_keyword)(_FaultContext(fault, text, location))


_IMPLIED_BY_PATH = {
    "team_id": "remove it: the folder says which team the agent is in",
    "project_id": "remove it: the folder says which project this belongs to",
    "environment_ids": "remove it: list the names of environments under 'targets'",
}
_ENVIRONMENT_ONLY_KEYS = frozenset(
    {"name", "display_name", "type", "inherits", "abstract", "settings", "skill_ids", "policy_ids"}
)
_SECTION_KEYS = frozenset({"env_vars", "secrets", *SECTIONS})
# Keys of other tools.
_OTHER_WORDS = {
    "extends": "inherits",
    "inherit": "inherits",
    "parent": "inherits",
    **dict.fromkeys(("vars", "env", "environment", "environment_variables"), "env_vars"),
}


def _unknown_key(context: _FaultContext) -> FaultMessage:
    fault, location = context.fault, context.location
    key, is_at_root = fault.subject, len(fault.path) == 1
    if is_at_root and key in _IMPLIED_BY_PATH and location.kind in (Kind.AGENT, Kind.TEAM):
        return FaultMessage(
            "ET209", f"{format_key((key,))} says what the path or 'targets' already says", _IMPLIED_BY_PATH[key]
        )
    properties = fault.schema.get("properties", {})
    message = f"{format_key(fault.path)} is unknown"
    word = _OTHER_WORDS.get(key, "")
    if word in properties:
        hint = f"did you mean '{word}'?"
    elif word in _SECTION_KEYS and EXECUTION_ENVIRONMENT in properties and location.kind in LAYER_KINDS:
        hint = f"write '{word}' inside '{EXECUTION_ENVIRONMENT}'"
    elif key in READ_ONLY_KEYS:
        hint = "remove it: the control plane sets it"
    elif key in _SECTION_KEYS and EXECUTION_ENVIRONMENT in properties and location.kind in LAYER_KINDS:
        hint = f"write it inside '{EXECUTION_ENVIRONMENT}'"
    elif is_at_root and location.kind is Kind.OVERLAY and key in _ENVIRONMENT_ONLY_KEYS:
        hint = f"write it in 'environments/{location.name}.yaml': an overlay changes values only"
    else:
        hint = did_you_mean(key, properties)
    return FaultMessage("ET201", message, hint)


def _missing_key(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    key = fault.subject
    example = fault.schema.get("properties", {}).get(key, {}).get("examples", [None])[0]
    hint = REQUIRED_KEY_HINTS.get(key, "")
    if isinstance(example, (str, int)):
        hint = f"add '{key}', such as '{key}: {truncate(str(example))}'"
    return FaultMessage("ET202", _missing_key_text(fault, key), hint)


def _missing_key_text(fault: SchemaFault, key: str) -> str:
    return (
        f"{format_key(fault.path)} lacks the required key '{key}'"
        if fault.path
        else f"the required key '{key}' is missing"
    )


def _wrong_type(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    actual, path = json_type(fault.value), fault.path
    expected = [fault.argument] if isinstance(fault.argument, str) else list(fault.argument)
    if _is_variable(path) and actual in ("null", "object", "array"):
        return _variable_type(context, actual)
    alternatives = join_alternatives([type_name(kind) for kind in expected])
    message = f"{format_key(path)} is {type_name(actual)}, expected {alternatives}"
    return FaultMessage("ET203", message, _type_hint(context, actual, expected))


def _is_variable(path: tuple[str | int, ...]) -> bool:
    return path[-3:-1] == (EXECUTION_ENVIRONMENT, "env_vars")


def _variable_type(context: _FaultContext, actual: str) -> FaultMessage:
    is_layer = context.location.kind in LAYER_KINDS
    message = f"{format_key(context.fault.path)} is {type_name(actual)}, but a variable is text"
    if actual == "null":
        removal = "{$delete: true} to remove the variable" if is_layer else "remove the line"
        return FaultMessage("ET213", message, f"write '' for an empty text, or {removal}")
    as_text = "join(',')" if actual == "array" else "tojson"
    move = f", or move it to 'config' and write ${{{{ config.<key> | {as_text} }}}}" if is_layer else ""
    return FaultMessage("ET214", message, f"write it as JSON in quotes{move}")


_BOOLEANS = MappingProxyType(
    {**dict.fromkeys(("yes", "y", "on", "true"), "true"), **dict.fromkeys(("no", "n", "off", "false"), "false")}
)


def _type_hint(context: _FaultContext, actual: str, expected: list[str]) -> str:
    if actual == "null":
        return "write a value, or remove the line"
    if actual == "array" and context.fault.path == ("environments",) and context.location.kind is Kind.AGENT:
        return "list the environments in which it runs under 'targets'"
    if actual == "string" and expected == ["boolean"]:
        return f"write {_BOOLEANS.get(context.text.lower(), 'true or false')}, without quotes"
    if actual == "string" and set(expected) <= {"integer", "number", "null"}:
        return "write a number, without quotes"
    if "string" in expected and actual in ("integer", "number", "boolean"):
        return "write it in quotes"
    if actual == "number" and "integer" in expected:
        return "write it without a fraction"
    if set(expected) <= {"array", "null"}:
        return f"write a list: [{context.text if is_valid_name(context.text) else '…'}]"
    return "write 'key: value' lines below it" if set(expected) <= {"object", "null"} else ""


_ENTITIES = ("agent", "team", "workflow")


def _not_in_enum(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    allowed = join_alternatives(list(map(quote_value, fault.argument)))
    message = f"{format_key(fault.path)} is {describe_value(fault.value, fault.path)}, expected {allowed}"
    nearest = nearest_name(context.text, [word for word in fault.argument if isinstance(word, str)])
    if fault.path == ("entity_type",) and context.text in _ENTITIES:
        return FaultMessage("ET204", message, "'planning_mode' says who does the work: make the two agree")
    return FaultMessage("ET204", message, f"did you mean '{nearest}'?" if nearest else "")


def _not_constant(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    message = (
        f"{format_key(fault.path)} is {describe_value(fault.value, fault.path)}, expected {quote_value(fault.argument)}"
    )
    expected = str(fault.argument)
    return FaultMessage(
        "ET204", message, "write it without quotes" if context.text == expected else f"write {expected}"
    )


def _pattern_mismatch(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    pattern = _describe_pattern(fault)
    if fault.path[-3:-1] == (EXECUTION_ENVIRONMENT, "secrets") and isinstance(fault.path[-1], int):
        message = f"{format_key(fault.path)} is a path of secrets, but a list names variables"
        return FaultMessage("ET205", message, "write a map of variable to secret: {DB_PASSWORD: db.password}")
    kinds = fault.schema.get("type", "string")
    other_types = [type_name(kind) for kind in ("object", "array") if kind in kinds and not isinstance(kinds, str)]
    described, alternatives = describe_value(fault.value, fault.path), join_alternatives([*other_types, pattern.noun])
    message = f"{format_key(fault.path)} is {described}, expected {alternatives}"
    return FaultMessage("ET205", message, pattern.rule)


def _describe_pattern(fault: SchemaFault) -> PatternDescription:
    return PATTERN_DESCRIPTIONS.get(
        fault.argument, PatternDescription("another form", f"it must match {fault.argument}")
    )


def _bad_key_name(context: _FaultContext) -> FaultMessage:
    fault, inner = context.fault, context.fault.nested_faults[0]
    if inner.keyword == "pattern":
        pattern = _describe_pattern(inner)
        return FaultMessage("ET205", f"the key {quote_value(fault.subject)} is not {pattern.noun}", pattern.rule)
    hint = RELOCATION_HINTS.get(fault.subject, f"write it beside {format_key(fault.path[-2:-1])}, not in it")
    return FaultMessage("ET207", f"{format_key(fault.path)} does not belong there", hint)


_COUNTED_NOUNS = MappingProxyType({"Length": "character", "Items": "element", "Properties": "key"})


def _out_of_limits(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    bound = "at least" if fault.keyword.startswith("min") else "at most"
    noun = _COUNTED_NOUNS.get(fault.keyword[3:])
    if noun is None:
        actual, expected = describe_value(fault.value, fault.path), f"{bound} {fault.argument}"
    elif fault.value:
        actual, expected = f"{format_count(len(fault.value), noun)} long", f"{bound} {fault.argument}"
    else:
        actual, expected = "empty", f"{bound} {format_count(fault.argument, noun)}"
    return FaultMessage("ET206", f"{format_key(fault.path)} is {actual}, expected {expected}", _limit_hint(fault))


def _limit_hint(fault: SchemaFault) -> str:
    key = str(fault.path[-1]) if fault.path else ""
    if key in LIMIT_HINTS:
        return LIMIT_HINTS[key]
    if fault.keyword.endswith("imum"):
        least, most = fault.schema.get("minimum"), fault.schema.get("maximum")
        return f"write a number from {least} to {most}" if None not in (least, most) else ""
    if not fault.value:
        return "write a value, or remove the line"
    missing, noun = fault.argument - len(fault.value), _COUNTED_NOUNS[fault.keyword[3:]]
    return f"add {format_count(missing, noun)}" if missing > 0 else f"leave out {format_count(-missing, noun)}"


def _duplicate_element(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    element = describe_value(fault.value, fault.path)
    return FaultMessage(
        "ET207",
        f"{format_key(fault.path[:-1])} holds {element} twice, expected each element once",
        "remove one of them",
    )


_ONE_OF_HINTS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.POLICY: "a policy is a JSON Schema that envtree checks, or Rego that the control plane checks",
        Kind.WORKFLOW: "a workflow is written as data, or as Python code",
    }
)


def _one_of_mismatch(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    keys = [quote_value(key) for branch in fault.argument for key in branch.get("required", ())]
    hint = _ONE_OF_HINTS.get(context.location.kind, "")
    if fault.nested_faults:
        return FaultMessage(
            "ET207", f"{format_key(fault.path)} has neither {' nor '.join(keys)}, expected one of them", hint
        )
    return FaultMessage("ET207", f"{format_key(fault.path)} has both {' and '.join(keys)}, expected one of them", hint)


def _any_of_mismatch(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    key = fault.nested_faults[0].subject
    return FaultMessage("ET202", _missing_key_text(fault, key), "a server with 'url' needs 'type: http' or 'type: sse'")


def _missing_dependency(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    return FaultMessage(
        "ET207",
        f"{format_key(fault.path)} goes only with '{fault.subject}', which is missing",
        "remove one, or add the other",
    )


def _forbidden_key(context: _FaultContext) -> FaultMessage:
    fault = context.fault
    key = str(fault.path[-1]) if fault.path else ""
    return FaultMessage(
        "ET207",
        FORBIDDEN_KEY_MESSAGES.get(key, f"{format_key(fault.path)} is not allowed here"),
        "remove one of the two",
    )


def _not_mismatch(context: _FaultContext) -> FaultMessage:
    message = f"{format_key(context.fault.path)} begins with 'local-exec', which the control plane keeps for itself"
    return FaultMessage("ET207", message, "use another name")


def _other_keyword(context: _FaultContext) -> FaultMessage:
    return FaultMessage(
        "ET207", f"{format_key(context.fault.path)} breaks the rule '{context.fault.keyword}' of its schema"
    )


_MESSAGE_BUILDERS: Mapping[str, Callable[[_FaultContext], FaultMessage]] = MappingProxyType(
    {
        "additionalProperties": _unknown_key,
        "required": _missing_key,
        "type": _wrong_type,
        "enum": _not_in_enum,
        "const": _not_constant,
        "pattern": _pattern_mismatch,
        "propertyNames": _bad_key_name,
        **dict.fromkeys(
            ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties"), _out_of_limits
        ),
        "uniqueItems": _duplicate_element,
        "oneOf": _one_of_mismatch,
        "anyOf": _any_of_mismatch,
        "dependentRequired": _missing_dependency,
        "": _forbidden_key,
        "not": _not_mismatch,
    }
)
