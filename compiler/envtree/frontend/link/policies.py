"""Link the policies that envtree checks itself: JSON Schemas for resolved bundles."""

from typing import Any

import jsonschema_rs

from envtree.frontend.link.schema_keywords import unknown_keywords, unsupported_patterns
from envtree.frontend.subschemas import ReferenceResolver, all_subschemas
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field, get_text, get_text_scalars
from envtree.model.nodes import Document, Node, SequenceNode
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.workspace import Policy

_MAX_SCHEMAS = 10_000


def describe_unbounded_expansion(schema: Any) -> str:
    """Describe why the evaluation of a schema may not end, for a message; empty if it ends."""
    references = ReferenceResolver(schema)
    counts: dict[int, int] = {}
    try:
        if any(
            _count_applied_schemas(part, references, counts, set()) > _MAX_SCHEMAS for _, part in all_subschemas(schema)
        ):
            return f"leads from one value to more than {_MAX_SCHEMAS} schemas"
    except RecursionError:
        return "has references that lead too far"
    except _ReferenceCycleError:
        return "has a reference that leads back to itself"
    return ""


def describe_unresolved_reference(schema: Any) -> str:
    """Describe a reference that leads neither into the schema nor to one that the engine has built in; empty if none.

    The engine resolves a few references that are not part of the draft, such as those into its own default base URI.
    """
    for reference, uri in ReferenceResolver(schema).external_references(schema):
        if not _is_usable_schema({"$ref": uri}):
            return f"has the reference '{reference}', which names no schema in it"
    return ""


class _ReferenceCycleError(Exception):
    """A schema applies itself to the value that it is applied to."""


def _count_applied_schemas(
    schema: Any, references: ReferenceResolver, counts: dict[int, int], in_progress: set[int]
) -> int:
    if not isinstance(schema, dict):
        return 1
    schema_id = id(schema)
    if schema_id in in_progress:
        raise _ReferenceCycleError
    if schema_id not in counts:
        in_progress.add(schema_id)
        parts = references.in_place_subschemas(schema)
        counts[schema_id] = 1 + sum(_count_applied_schemas(part, references, counts, in_progress) for part in parts)
        in_progress.remove(schema_id)
    return counts[schema_id]


# An engine without backtracking, so that no pattern can hang a run.
REGEX_OPTIONS = jsonschema_rs.RegexOptions()


def link_policies(resources: Resources, diags: Diagnostics) -> tuple[Policy, ...]:
    """Return the enabled `schema` policies, sorted by name; report those with unusable schemas."""
    policies = (_link_policy(name, document, diags) for name, document in resources.documents(Kind.POLICY).items())
    return tuple(policy for policy in policies if policy)


def _link_policy(name: str, document: Document, diags: Diagnostics) -> Policy | None:
    node = get_field(document, "schema")
    enabled = get_field(document, "enabled")
    if node is None or isinstance(node, SequenceNode) or (enabled is not None and enabled.value is False):
        return None
    schema = node.value
    if not isinstance(schema, (dict, bool)) or not _is_usable_schema(schema):
        message = f"the schema of policy '{name}' is not a JSON Schema that can be used here"
        hint = "it must be valid draft 2020-12, with patterns that RE2 reads and no reference to another document"
        diags.add(_schema_finding(message, hint, node, document))
        return None
    findings = [*unknown_keywords(node, name, document), *unsupported_patterns(node, name, document)]
    if not findings and (problem := describe_unresolved_reference(schema)):
        hint = "write a JSON pointer, such as '#/$defs/name', or the '$id' or '$anchor' of a schema under '$defs'"
        findings = [_schema_finding(f"the schema of policy '{name}' {problem}", hint, node, document)]
    elif not findings and (problem := describe_unbounded_expansion(schema)):
        hint = "a schema may refer to itself below 'properties' or 'items', not for the same value"
        findings = [_schema_finding(f"the schema of policy '{name}' {problem}", hint, node, document)]
    if findings:
        diags.extend(findings)
        return None
    selector = get_field(document, "selector")
    selectors = tuple(str(item.value) for item in get_text_scalars(selector)) or ("**",)
    return Policy(
        name=name,
        schema=schema,
        selectors=selectors,
        severity=get_text(get_field(document, "severity")) or "error",
        message=get_text(get_field(document, "message")) or "",
        span=document.span(node),
        selector_span=document.span(selector or node),
    )


def _schema_finding(message: str, hint: str, node: Node, document: Document) -> Diagnostic:
    return Diagnostic(document.span(node), "ET215", message, hint, key="schema")


def _is_usable_schema(schema: Any) -> bool:
    try:
        # Offline, so that neither `$ref` nor `$schema` of a policy makes a request.
        jsonschema_rs.Draft202012Validator(schema, pattern_options=REGEX_OPTIONS, offline=True)
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return False
    return True
