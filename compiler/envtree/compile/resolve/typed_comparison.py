"""Find comparisons of text with a literal of another type, such as `env_vars.DEBUG == true`: none can ever be equal."""

from collections.abc import Iterator

from jinja2 import nodes

from envtree.model.canonical_json import encode_compact
from envtree.model.expression import NamePath
from envtree.model.keypath import format_path

# The roots whose values are always text.
_TEXT_ROOTS = frozenset({"env_vars", "inputs"})
_SYMBOLS = {"eq": "==", "equalto": "==", "true": "==", "false": "==", "ne": "!=", "in": "in", "notin": "not in"}


def typed_comparisons(node: nodes.Expr) -> dict[int, str]:
    """Return a hint for each name in a comparison or a test that is compared with another type, by its node's id."""
    return {
        id(name): _hint(path, operator, literals)
        for name, operator, operand in _comparisons(node)
        if (path := name_path(name)) and len(path) == 2 and path[0] in _TEXT_ROOTS and (literals := _literals(operand))
    }


def _comparisons(node: nodes.Expr) -> Iterator[tuple[nodes.Expr, str, nodes.Expr]]:
    if isinstance(node, nodes.Compare):
        left = node.expr
        for operand in node.ops:
            if operand.op in _SYMBOLS:
                yield left, operand.op, operand.expr
            if operand.op in ("eq", "ne"):
                yield operand.expr, operand.op, left
            left = operand.expr
    elif isinstance(node, nodes.Test) and node.name in _SYMBOLS:
        literal = nodes.Const(node.name == "true", lineno=1)
        yield node.node, node.name, node.args[0] if node.args else literal


def _literals(node: nodes.Expr) -> list[object]:
    """Return the value of a literal, or of all in a list of literals; empty if any of them is, or may be, text."""
    literals: list[object] = []
    for part in node.items if isinstance(node, nodes.List) else [node]:
        is_negative = isinstance(part, nodes.Neg)
        literal = part.node if isinstance(part, nodes.Neg) else part
        if not isinstance(literal, nodes.Const) or isinstance(literal.value, str):
            return []
        literals.append(-literal.value if is_negative and literal.value is not None else literal.value)
    return literals


def _hint(path: NamePath, operator: str, literals: list[object]) -> str:
    name = format_path(tuple(map(str, path)))
    if None in literals:
        return f"write: {name} is defined"
    texts = [f"'{encode_compact(value)}'" for value in literals]
    right = f"[{', '.join(texts)}]" if operator in ("in", "notin") else texts[0]
    return f"compare with text: {name} {_SYMBOLS[operator]} {right}"


def name_path(node: nodes.Expr) -> NamePath | None:
    """Return the path that a chain of names and literal subscripts spells, or None."""
    parts: list[str | int] = []
    while not isinstance(node, nodes.Name):
        if isinstance(node, nodes.Getattr):
            parts.append(node.attr)
            node = node.node
        elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
            if not isinstance(node.arg.value, (str, int)) or isinstance(node.arg.value, bool):
                return None
            parts.append(node.arg.value)
            node = node.node
        else:
            return None
    return (node.name, *reversed(parts))
