"""Spell an expression's syntax tree as text again, with other sources in the place of its names."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

Names = Sequence[str]

_OPERATORS: Mapping[type[nodes.Node], str] = {
    nodes.Add: "+",
    nodes.Sub: "-",
    nodes.Mul: "*",
    nodes.Div: "/",
    nodes.FloorDiv: "//",
    nodes.Mod: "%",
    nodes.And: "and",
    nodes.Or: "or",
    nodes.Neg: "-",
    nodes.Pos: "+",
    nodes.Not: "not ",
}
_COMPARISONS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}


def spell(node: Any, names: Names) -> str:
    """The source of a tree; `names[n]` stands for its name `_n`, empty for one that is undefined."""
    kind = next(base for base in type(node).__mro__ if base in _SPELLINGS)
    return _SPELLINGS[kind](node, names)


def _name(node: nodes.Name, names: Names) -> str:
    return names[int(node.name[1:])] or "none"


def _constant(node: nodes.Const, names: Names) -> str:
    return "none" if node.value is None else json.dumps(node.value, ensure_ascii=False)


def _filter(node: nodes.Filter, names: Names) -> str:
    if node.name == "_concat":
        assert isinstance(node.node, nodes.List)
        return "(" + " ~ ".join(spell(item, names) for item in node.node.items) + ")"
    if _is_undefined(node.node, names) and node.name in ("default", "d"):
        others = [*node.args[:1], *(given.value for given in node.kwargs if given.key == "other")]
        return spell(others[0], names) if others else '""'
    return f"({spell(node.node, names)} | {node.name}{_arguments(node, names)})"


def _test(node: nodes.Test, names: Names) -> str:
    if _is_undefined(node.node, names) and node.name in ("defined", "undefined"):
        return "true" if node.name == "undefined" else "false"
    return f"({spell(node.node, names)} is {node.name}{_arguments(node, names)})"


def _arguments(node: nodes.Filter | nodes.Test, names: Names) -> str:
    found = [spell(argument, names) for argument in node.args]
    found += [f"{argument.key}={spell(argument.value, names)}" for argument in node.kwargs]
    return f"({', '.join(found)})" if found else ""


def _subscript(node: nodes.Getitem, names: Names) -> str:
    return f"{spell(node.node, names)}[{spell(node.arg, names)}]"


def _condition(node: nodes.CondExpr, names: Names) -> str:
    other = spell(node.expr2, names) if node.expr2 else "none"
    return f"({spell(node.expr1, names)} if {spell(node.test, names)} else {other})"


def _comparison(node: nodes.Compare, names: Names) -> str:
    rest = "".join(f" {_COMPARISONS[op.op]} {spell(op.expr, names)}" for op in node.ops)
    return f"({spell(node.expr, names)}{rest})"


def _list(node: nodes.List, names: Names) -> str:
    return "[" + ", ".join(spell(item, names) for item in node.items) + "]"


def _map(node: nodes.Dict, names: Names) -> str:
    return "{" + ", ".join(f"{spell(pair.key, names)}: {spell(pair.value, names)}" for pair in node.items) + "}"


def _binary(node: nodes.BinExpr, names: Names) -> str:
    return f"({spell(node.left, names)} {_OPERATORS[type(node)]} {spell(node.right, names)})"


def _unary(node: nodes.UnaryExpr, names: Names) -> str:
    return f"({_OPERATORS[type(node)]}{spell(node.node, names)})"


def _is_undefined(node: nodes.Expr | None, names: Names) -> bool:
    return isinstance(node, nodes.Name) and not names[int(node.name[1:])]


_SPELLINGS: Mapping[type, Callable[[Any, Names], str]] = {
    nodes.Name: _name,
    nodes.Const: _constant,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Getitem: _subscript,
    nodes.CondExpr: _condition,
    nodes.Compare: _comparison,
    nodes.List: _list,
    nodes.Dict: _map,
    nodes.BinExpr: _binary,
    nodes.UnaryExpr: _unary,
}
