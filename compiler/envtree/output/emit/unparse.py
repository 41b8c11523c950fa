"""Convert the syntax tree of an expression back to source text, with other sources in place of its names."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import nodes

OperandSources = Sequence[str]

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


def unparse(node: Any, names: OperandSources) -> str:
    """Return the source of a tree; `names[n]` replaces its name `_n`, and is empty for an undefined one."""
    kind = next(base for base in type(node).__mro__ if base in _UNPARSERS)
    return _UNPARSERS[kind](node, names)


def _unparse_name(node: nodes.Name, names: OperandSources) -> str:
    return names[int(node.name[1:])] or "none"


def _unparse_constant(node: nodes.Const, names: OperandSources) -> str:
    return "none" if node.value is None else json.dumps(node.value, ensure_ascii=False)


def _unparse_filter(node: nodes.Filter, names: OperandSources) -> str:
    if node.name == "_concat":
        assert isinstance(node.node, nodes.List)
        return "(" + " ~ ".join(unparse(item, names) for item in node.node.items) + ")"
    if _is_undefined(node.node, names) and node.name in ("default", "d"):
        defaults = [*node.args[:1], *(argument.value for argument in node.kwargs if argument.key == "other")]
        return unparse(defaults[0], names) if defaults else '""'
    return f"({unparse(node.node, names)} | {node.name}{_unparse_arguments(node, names)})"


def _unparse_test(node: nodes.Test, names: OperandSources) -> str:
    if _is_undefined(node.node, names) and node.name in ("defined", "undefined"):
        return "true" if node.name == "undefined" else "false"
    return f"({unparse(node.node, names)} is {node.name}{_unparse_arguments(node, names)})"


def _unparse_arguments(node: nodes.Filter | nodes.Test, names: OperandSources) -> str:
    arguments = [unparse(argument, names) for argument in node.args]
    arguments += [f"{argument.key}={unparse(argument.value, names)}" for argument in node.kwargs]
    return f"({', '.join(arguments)})" if arguments else ""


def _unparse_subscript(node: nodes.Getitem, names: OperandSources) -> str:
    return f"{unparse(node.node, names)}[{unparse(node.arg, names)}]"


def _unparse_condition(node: nodes.CondExpr, names: OperandSources) -> str:
    alternative = unparse(node.expr2, names) if node.expr2 else "none"
    return f"({unparse(node.expr1, names)} if {unparse(node.test, names)} else {alternative})"


def _unparse_comparison(node: nodes.Compare, names: OperandSources) -> str:
    rest = "".join(f" {_COMPARISONS[op.op]} {unparse(op.expr, names)}" for op in node.ops)
    return f"({unparse(node.expr, names)}{rest})"


def _unparse_list(node: nodes.List, names: OperandSources) -> str:
    return "[" + ", ".join(unparse(item, names) for item in node.items) + "]"


def _unparse_map(node: nodes.Dict, names: OperandSources) -> str:
    return "{" + ", ".join(f"{unparse(pair.key, names)}: {unparse(pair.value, names)}" for pair in node.items) + "}"


def _unparse_binary(node: nodes.BinExpr, names: OperandSources) -> str:
    return f"({unparse(node.left, names)} {_OPERATORS[type(node)]} {unparse(node.right, names)})"


def _unparse_unary(node: nodes.UnaryExpr, names: OperandSources) -> str:
    return f"({_OPERATORS[type(node)]}{unparse(node.node, names)})"


def _is_undefined(node: nodes.Expr | None, names: OperandSources) -> bool:
    return isinstance(node, nodes.Name) and not names[int(node.name[1:])]


_UNPARSERS: Mapping[type, Callable[[Any, OperandSources], str]] = {
    nodes.Name: _unparse_name,
    nodes.Const: _unparse_constant,
    nodes.Filter: _unparse_filter,
    nodes.Test: _unparse_test,
    nodes.Getitem: _unparse_subscript,
    nodes.CondExpr: _unparse_condition,
    nodes.Compare: _unparse_comparison,
    nodes.List: _unparse_list,
    nodes.Dict: _unparse_map,
    nodes.BinExpr: _unparse_binary,
    nodes.UnaryExpr: _unparse_unary,
}
