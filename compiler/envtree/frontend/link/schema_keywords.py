"""Report unknown keywords and unsupported patterns in the schemas of policies.

Validators ignore unknown keywords, so a misspelled rule would not be enforced.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import re2

from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.subschemas import all_subschemas
from envtree.model.diagnostic import Diagnostic
from envtree.model.nodes import Document, MappingNode, Node, SequenceNode
from envtree.model.span import Span

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

# The metaschema, closed at every depth, because its dynamic references to itself lead here. Keys `x-…` are annotations
# of users.
_CLOSED_METASCHEMA = {
    "$schema": _DRAFT,
    "$id": "urn:envtree:closed-schema",
    "$dynamicAnchor": "meta",
    "$ref": _DRAFT,
    "patternProperties": {"^x-": True},
    "unevaluatedProperties": False,
}

# Keywords to suggest, and annotations, which are known but never suggested.
_RULE_KEYWORDS = (
    *("additionalProperties", "allOf", "anyOf", "const", "contains", "dependentRequired", "dependentSchemas", "else"),
    *("enum", "exclusiveMaximum", "exclusiveMinimum", "if", "items", "maxContains", "maxItems", "maxLength"),
    *("maxProperties", "maximum", "minContains", "minItems", "minLength", "minProperties", "minimum", "multipleOf"),
    *("not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties", "propertyNames", "required"),
    *("then", "type", "unevaluatedItems", "unevaluatedProperties", "uniqueItems", "$defs", "$ref", "description"),
)
_ANNOTATION_KEYWORDS = (
    *("$anchor", "$comment", "$dynamicAnchor", "$dynamicRef", "$id", "$schema", "$vocabulary", "contentEncoding"),
    *("contentMediaType", "contentSchema", "default", "deprecated", "examples", "format", "readOnly", "title"),
    "writeOnly",
)
_KNOWN_KEYWORDS = frozenset(_RULE_KEYWORDS + _ANNOTATION_KEYWORDS)


def unknown_keywords(schema: Node, policy: str, document: Document) -> Iterator[Diagnostic]:
    """Report each unknown keyword of a valid schema, and `dependencies`, which the draft no longer has."""
    for path, part in all_subschemas(schema.value):
        if isinstance(part, dict) and "dependencies" in part:
            message = f"'dependencies' in the schema of policy '{policy}' is no keyword of JSON Schema"
            hint = "write 'dependentRequired' for lists of keys, and 'dependentSchemas' for schemas"
            span = document.key_span(_node_at(schema, path), "dependencies")
            yield Diagnostic(span, "ET215", message, hint, key="schema")
    for error in _validator().iter_errors(schema.value):
        # The unexpected keys include known keywords around an unknown one, because those are not evaluated either.
        for name in sorted(set(getattr(error.kind, "unexpected", ())) - _KNOWN_KEYWORDS):
            message = f"'{name}' in the schema of policy '{policy}' is no keyword of JSON Schema"
            span = document.key_span(_node_at(schema, error.instance_path), name)
            yield Diagnostic(span, "ET215", message, did_you_mean(name, _RULE_KEYWORDS), key="schema")


@cache
def _validator() -> Any:
    return jsonschema_rs.Draft202012Validator(_CLOSED_METASCHEMA, offline=True)


def _node_at(node: Node, path: Iterable[str | int]) -> MappingNode:
    for part in path:
        if isinstance(node, SequenceNode):
            node = node.items[int(part)]
        elif isinstance(node, MappingNode):
            node = node.entries[str(part)]
    assert isinstance(node, MappingNode)
    return node


def unsupported_patterns(schema: Node, policy: str, document: Document) -> Iterator[Diagnostic]:
    """Report each pattern of a valid schema that RE2 cannot read."""
    for path, part in all_subschemas(schema.value):
        if not isinstance(part, dict):
            continue
        node = _node_at(schema, path)
        if "pattern" in part and not is_re2_pattern(part["pattern"]):
            yield _unsupported_pattern_finding(part["pattern"], document.span(node.entries["pattern"]), policy)
        pattern_properties = node.entries.get("patternProperties")
        for pattern in part.get("patternProperties", ()):
            if isinstance(pattern_properties, MappingNode) and not is_re2_pattern(pattern):
                yield _unsupported_pattern_finding(pattern, document.key_span(pattern_properties, pattern), policy)


def is_re2_pattern(text: str) -> bool:
    """Report whether RE2 can read a regular expression."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(text, options)
    except re2.error:
        return False
    return True


def _unsupported_pattern_finding(pattern: str, span: Span, policy: str) -> Diagnostic:
    message = f"the pattern '{pattern}' in the schema of policy '{policy}' is not one that RE2 reads"
    hint = "look-around, back-references and repetitions of more than 1000 are not available"
    return Diagnostic(span, "ET215", message, hint, key="schema")
