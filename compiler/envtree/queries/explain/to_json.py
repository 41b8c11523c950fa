"""The answers of explain as JSON data, as `explain.schema.json` and `provenance.schema.json` describe them."""

from collections.abc import Sequence
from typing import Any

from envtree.model.span import Span
from envtree.queries.explain.model import Ladder, Line, Origin, Rung, Secret, Step, Variable


def ladder_data(id: str, ladder: Ladder) -> dict[str, Any]:
    """All about one key."""
    line = ladder.line
    return {
        "envtree": "1",
        "id": id,
        "key": line.key,
        "value": line.value,
        "sensitive": line.sensitive,
        "layers": [rung_data(rung) for rung in ladder.rungs],
        "lock": place_data(ladder.lock) if ladder.lock else None,
        "expression": line.expression,
        "reads": list(line.reads),
        "sources": [_line(source) for source in ladder.sources],
        "secret": _secret(ladder.secret) if ladder.secret else None,
        "keys": [_line(inner) for inner in ladder.keys],
        "variable": _variable(ladder.variable) if ladder.variable else None,
    }


def overview_data(id: str, lines: Sequence[Line]) -> dict[str, Any]:
    """Every key with its winner."""
    return {"envtree": "1", "id": id, "keys": [_line(line) for line in lines]}


def order_data(id: str, steps: Sequence[Step]) -> dict[str, Any]:
    """The order of the layers."""
    order = [{"layer": step.layer, "scope": step.scope, "files": list(step.files)} for step in steps]
    return {"envtree": "1", "id": id, "order": order}


def provenance_data(
    line: Line, layers: Sequence[dict[str, Any]], lock: Span | None, secret: Secret | None
) -> dict[str, Any]:
    """A key in `provenance.json`, with the layers that speak of it."""
    return _line(line) | {
        "layers": layers,
        "lock": place_data(lock) if lock else None,
        "secret": _secret(secret) if secret else None,
    }


def rung_data(rung: Rung) -> dict[str, Any]:
    """What one layer has to do with a value."""
    written = rung.written
    return _origin(rung.origin) | {
        "key": rung.key,
        "action": rung.action,
        "wins": rung.wins,
        "rule": rung.rule,
        "type": written.type if written else None,
        "value": written.value if written else None,
        "sensitive": bool(written and written.secret),
        "length": written.length if written else None,
    }


def _line(line: Line) -> dict[str, Any]:
    return _origin(line.origin) | {
        "key": line.key,
        "value": line.value,
        "sensitive": line.sensitive,
        "expression": line.expression,
        "reads": list(line.reads),
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {"name": variable.name, "key": variable.key} | place_data(variable.span)


def _secret(secret: Secret) -> dict[str, Any]:
    where = _origin(secret.origin)
    return where | {"key": secret.path, "type": secret.written.type, "length": secret.written.length}


def _origin(origin: Origin | None) -> dict[str, Any]:
    """All null where nothing of the tree says a value."""
    span = origin.span if origin else None
    return {
        "layer": origin.layer if origin else None,
        "scope": origin.scope if origin else None,
        "path": (origin.path or None) if origin else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
    }


def place_data(span: Span) -> dict[str, Any]:
    """A place in a file."""
    return {"path": span.path, "line": span.line, "column": span.column}
