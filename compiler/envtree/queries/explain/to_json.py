"""The answers of explain as JSON data, as `explain.schema.json` and `provenance.schema.json` describe them."""

from collections.abc import Sequence
from typing import Any

from envtree.model.span import Span
from envtree.queries.explain.provenance_model import (
    InjectedSecretOrigin,
    KeySummary,
    LayerEntry,
    OrderedLayer,
    OutputVariable,
    Provenance,
    ValueOrigin,
)


def explanation_data(id: str, provenance: Provenance) -> dict[str, Any]:
    """Return the JSON data of a key's provenance."""
    summary = provenance.summary
    return {
        "envtree": "1",
        "id": id,
        "key": summary.key,
        "value": summary.value,
        "sensitive": summary.sensitive,
        "layers": [layer_entry_data(entry) for entry in provenance.layer_entries],
        "lock": span_data(provenance.lock) if provenance.lock else None,
        "expression": summary.expression,
        "reads": list(summary.reads),
        "sources": [_summary_data(source) for source in provenance.sources],
        "secret": _secret_data(provenance.secret) if provenance.secret else None,
        "keys": [_summary_data(inner) for inner in provenance.nested_keys],
        "variable": _variable_data(provenance.variable) if provenance.variable else None,
    }


def overview_data(id: str, summaries: Sequence[KeySummary]) -> dict[str, Any]:
    """Return the JSON data of all keys, each with its origin."""
    return {"envtree": "1", "id": id, "keys": [_summary_data(summary) for summary in summaries]}


def order_data(id: str, layers: Sequence[OrderedLayer]) -> dict[str, Any]:
    """Return the JSON data of the order of the layers."""
    order = [{"layer": layer.layer, "scope": layer.scope, "files": list(layer.files)} for layer in layers]
    return {"envtree": "1", "id": id, "order": order}


def provenance_data(
    summary: KeySummary, layers: Sequence[dict[str, Any]], lock: Span | None, secret: InjectedSecretOrigin | None
) -> dict[str, Any]:
    """Return the entry of a key in `provenance.json`, with the data of the layers that set or change it."""
    return _summary_data(summary) | {
        "layers": layers,
        "lock": span_data(lock) if lock else None,
        "secret": _secret_data(secret) if secret else None,
    }


def layer_entry_data(entry: LayerEntry) -> dict[str, Any]:
    """Return the JSON data of a layer entry."""
    written = entry.written
    return _origin_data(entry.origin) | {
        "key": entry.key,
        "action": entry.action,
        "wins": entry.is_winner,
        "rule": entry.rule,
        "type": written.type if written else None,
        "value": written.value if written else None,
        "sensitive": bool(written and written.is_secret),
        "length": written.length if written else None,
    }


def _summary_data(summary: KeySummary) -> dict[str, Any]:
    return _origin_data(summary.origin) | {
        "key": summary.key,
        "value": summary.value,
        "sensitive": summary.sensitive,
        "expression": summary.expression,
        "reads": list(summary.reads),
    }


def _variable_data(variable: OutputVariable) -> dict[str, Any]:
    return {"name": variable.name, "key": variable.key} | span_data(variable.span)


def _secret_data(secret: InjectedSecretOrigin) -> dict[str, Any]:
    origin = _origin_data(secret.origin)
    return origin | {"key": secret.path, "type": secret.written.type, "length": secret.written.length}


def _origin_data(origin: ValueOrigin | None) -> dict[str, Any]:
    """Return the JSON data of an origin; all null if no layer sets the value."""
    span = origin.span if origin else None
    return {
        "layer": origin.layer if origin else None,
        "scope": origin.scope if origin else None,
        "path": (origin.path or None) if origin else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
    }


def span_data(span: Span) -> dict[str, Any]:
    """Return the JSON data of a location."""
    return {"path": span.path, "line": span.line, "column": span.column}
