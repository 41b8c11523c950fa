"""What an expression may contain: an allow-list over Jinja2's syntax tree, and the names that it reads."""

from collections.abc import Iterable
from typing import NamedTuple

from jinja2 import nodes

from envtree.expression import NamePath, Reference, reference
from envtree.nearest import did_you_mean
from envtree.resolve.functions import FILTERS, TESTS

ROOTS = (
    "env_vars",
    "config",
    "endpoints",
    "feature_flags",
    "organization",
    "project",
    "environment",
    "team",
    "agent",
    "inputs",
    "secrets",
)

_ALLOWED = (
    nodes.Const,
    nodes.CondExpr,
    nodes.Compare,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Add,
    nodes.Sub,
    nodes.Mul,
    nodes.Div,
    nodes.FloorDiv,
    nodes.Mod,
    nodes.Neg,
    nodes.Pos,
    nodes.List,
    nodes.Dict,
)


class WrongExpression(Exception):
    """A fault in an expression; `offset` is where in the text."""

    def __init__(self, code: str, message: str, hint: str, offset: int) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.offset = code, message, hint, offset


class _Position(NamedTuple):
    """Where a node stands; see Reference."""

    lenient: bool = False
    optional: bool = False
    bare: bool = False


class _Check:
    """Rewrites a tree so that each name read becomes `_0`, `_1`, …; raises WrongExpression."""

    def __call__(self, tree: nodes.Expr, offset: int) -> tuple[nodes.Expr, tuple[Reference, ...]]:
        """The rewritten tree and what its names stand for."""
        reads: list[Reference] = []
        return self._rewrite(tree, reads, offset, _Position()), tuple(reads)

    def name(self, path: NamePath, offset: int) -> None:
        """Check the first segments of a name."""
        root = str(path[0])
        if root not in ROOTS:
            raise WrongExpression("ET503", f"'{root}' is not a name here", did_you_mean(root, ROOTS), offset)
        if root == "secrets" and len(path) == 1:
            raise WrongExpression("ET502", "'secrets' cannot be read as a whole", "name the one you need", offset)
        if any(str(part).startswith("_") for part in path[1:] if root not in ("env_vars", "inputs")):
            raise WrongExpression("ET502", "a name that begins with '_' cannot be read", "", offset)

    def _rewrite(self, node: nodes.Expr, reads: list[Reference], offset: int, at: _Position) -> nodes.Expr:
        path = _path(node)
        if path:
            self.name(path, offset)
            reads.append(reference(path, offset, lenient=at.lenient, optional=at.optional, bare=at.bare))
            return nodes.Name(f"_{len(reads) - 1}", "load", lineno=1)
        node = self._admit(node, offset)
        if isinstance(node, nodes.Const) and isinstance(node.value, str) and len(node.value) > 4096:
            raise WrongExpression("ET507", "a text in an expression is too long", "", offset)
        self._children(node, reads, offset, at)
        return node

    def _admit(self, node: nodes.Expr, offset: int) -> nodes.Expr:
        """The node, or one of plainer form that means the same."""
        if isinstance(node, nodes.Filter):
            self._known(node.name, FILTERS, "filter", offset)
        elif isinstance(node, nodes.Test):
            self._known(node.name, TESTS, "test", offset)
        elif isinstance(node, nodes.Getitem):
            return self._getitem(node, offset)
        elif isinstance(node, nodes.Getattr):
            return self._getitem(nodes.Getitem(node.node, nodes.Const(node.attr, lineno=1), "load", lineno=1), offset)
        elif isinstance(node, nodes.Concat):
            return nodes.Filter(nodes.List(node.nodes, lineno=1), "_concat", [], [], None, None, lineno=1)
        elif not isinstance(node, _ALLOWED):
            self._refuse(node, offset)
        return node

    def _children(self, node: nodes.Node, reads: list[Reference], offset: int, at: _Position) -> None:
        for field, value in list(node.iter_fields()):
            inside = _position(node, field, at)
            if isinstance(value, nodes.Expr):
                setattr(node, field, self._rewrite(value, reads, offset, inside))
            elif isinstance(value, nodes.Helper):
                self._children(value, reads, offset, inside)
            elif isinstance(value, list):
                setattr(node, field, [self._item(item, reads, offset, inside) for item in value])

    def _item(self, item: object, reads: list[Reference], offset: int, at: _Position) -> object:
        if isinstance(item, nodes.Helper):
            self._children(item, reads, offset, at)
        elif isinstance(item, nodes.Expr):
            return self._rewrite(item, reads, offset, at)
        return item

    def _known(self, name: str, known: Iterable[str], what: str, offset: int) -> None:
        if name not in known:
            raise WrongExpression("ET502", f"there is no {what} '{name}' here", did_you_mean(name, known), offset)

    def _getitem(self, node: nodes.Getitem, offset: int) -> nodes.Getitem:
        if not isinstance(node.arg, nodes.Const) or str(node.arg.value).startswith("_"):
            raise WrongExpression("ET502", "a subscript must be a literal", "write config['name'] or a dot", offset)
        return node

    def _refuse(self, node: nodes.Node, offset: int) -> None:
        if isinstance(node, nodes.Name):
            raise WrongExpression("ET503", f"'{node.name}' is not a name here", did_you_mean(node.name, ROOTS), offset)
        what = {"Call": "a call", "Slice": "a slice", "Pow": "a power", "Tuple": "a tuple"}
        found = what.get(type(node).__name__, f"'{type(node).__name__.lower()}'")
        raise WrongExpression("ET502", f"{found} is not allowed in an expression", "filters do most of it", offset)


check = _Check()

_LENIENT = frozenset({"default", "d", "defined", "undefined"})


def _position(node: nodes.Node, field: str, outer: _Position) -> _Position:
    """How a child stands in its parent."""
    lenient = isinstance(node, (nodes.Filter, nodes.Test)) and node.name in _LENIENT and field == "node"
    branch = (isinstance(node, nodes.CondExpr) and field != "test") or (
        isinstance(node, (nodes.And, nodes.Or)) and field == "right"
    )
    bare = isinstance(node, nodes.Not) or (isinstance(node, nodes.CondExpr) and field == "test")
    return _Position(lenient, outer.optional or branch, bare)


def _path(node: nodes.Expr) -> NamePath | None:
    """The dotted path that a chain of names and literal subscripts spells, or None."""
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
