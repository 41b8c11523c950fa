"""Restrict a template to text, `for`, `if`, `set`, and the expressions of the language."""

from typing import Any

from jinja2 import nodes

_ALLOWED_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.For, nodes.If, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Dict, nodes.Pair, nodes.Tuple, nodes.Keyword),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod),
)
# Methods whose usual calls are replaced by the filters of the same name.
_METHOD_FILTERS = frozenset({"items", "keys", "values"})


class NotAllowedError(Exception):
    """A template contains a construct that is not allowed."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message, self.line = message, line


def restrict(node: Any) -> Any:
    """Return the tree with counted loops and bounded texts; raise NotAllowedError for any other construct."""
    if isinstance(node, nodes.Concat):
        node = _make_filter(nodes.List(node.nodes, lineno=node.lineno), "_concat")
    elif isinstance(node, nodes.Call):
        node = _method_filter(node)
    if not isinstance(node, _ALLOWED_NODES):
        raise NotAllowedError(f"'{type(node).__name__.lower()}' is not allowed in a template", node.lineno or 1)
    if isinstance(node, nodes.Name | nodes.Getattr):
        _check_name(node.name if isinstance(node, nodes.Name) else node.attr, node.lineno)
    if isinstance(node, nodes.Filter) and node.name.startswith("_") and node.name != "_concat":
        raise NotAllowedError(f"there is no filter '{node.name}'", node.lineno)
    for field, value in node.iter_fields():
        if isinstance(value, nodes.Node):
            setattr(node, field, restrict(value))
        elif isinstance(value, list):
            setattr(node, field, [restrict(item) if isinstance(item, nodes.Node) else item for item in value])
    if isinstance(node, nodes.For):
        if node.recursive:
            raise NotAllowedError("a loop that calls itself is not allowed in a template", node.lineno)
        node.iter = _make_filter(node.iter, "_counted")
    return node


def _method_filter(node: nodes.Call) -> nodes.Node:
    method, arguments = node.node, (node.args, node.kwargs, node.dyn_args, node.dyn_kwargs)
    if not isinstance(method, nodes.Getattr) or method.attr not in _METHOD_FILTERS or any(arguments):
        raise NotAllowedError("a call is not allowed in a template", node.lineno)
    return _make_filter(method.node, method.attr)


def _make_filter(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _check_name(name: str, line: int) -> None:
    if name.startswith("_"):
        raise NotAllowedError("a name that begins with '_' is not allowed in a template", line)
