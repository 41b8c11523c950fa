"""What an expression may contain: an allow-list over Jinja2's syntax tree, and the names that it reads."""

import re
from collections.abc import Iterable
from itertools import takewhile
from math import isinf
from typing import NamedTuple

from jinja2 import nodes

from envtree.compile.filters import FILTERS, TESTS
from envtree.diagnostics.suggest import did_you_mean
from envtree.model.expression import NamePath, Reference, make_reference

# What a bundle computes, and all that an expression may read.
COMPUTED_ROOTS = ("env_vars", "config", "endpoints", "feature_flags")
ROOTS = (*COMPUTED_ROOTS, "organization", "project", "environment", "team", "agent", "inputs", "secrets")

# What the reader of files refuses in a text, also where it is spelt with an escape.
FORBIDDEN_CHARACTERS = re.compile(
    "[\0\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

_NULLS = frozenset({"null", "nil"})
# The filters and tests that take a name which does not exist.
_LENIENT = frozenset({"default", "d", "defined", "undefined"})

_ALLOWED_NODES = (
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


class ExpressionError(Exception):
    """A fault in an expression; `offset` is where in the text."""

    def __init__(self, code: str, message: str, hint: str, offset: int) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.offset = code, message, hint, offset


class ExpressionSource(NamedTuple):
    """The text of an expression, and where in its value it begins; one that is `spelt` nobody has written."""

    text: str
    offset: int
    is_generated: bool = False

    def offset_of(self, *names: str | int) -> int:
        """Where a dotted name stands first; the beginning of the expression when it is spelt in another way."""
        plain = takewhile(lambda name: isinstance(name, str) and name.isidentifier(), names)
        spelt = r"\s*\.\s*".join(map(str, plain))
        match = re.search(rf"(?<![\w.]){spelt}(?!\w)", self.text) if spelt else None
        return self.offset + (match.start() if match else len(self.text) - len(self.text.lstrip()))


class _Position(NamedTuple):
    """Where a node stands; see Reference."""

    lenient: bool = False
    optional: bool = False
    bare: bool = False


def check_expression(tree: nodes.Expr, source: ExpressionSource) -> tuple[nodes.Expr, tuple[Reference, ...]]:
    """The tree with each name that it reads as `_0`, `_1`, …, and what they stand for; raises WrongExpression."""
    rewriter = _Rewriter(source)
    return rewriter.rewrite(tree, _Position()), tuple(rewriter.reads)


def check_name(path: NamePath, source: ExpressionSource) -> None:
    """Raise WrongExpression for a name that cannot be read, as far as its text tells."""
    root = str(path[0])
    if root not in ROOTS:
        hint = "write none" if root.lower() in _NULLS else did_you_mean(root, ROOTS)
        raise ExpressionError("ET503", f"'{root}' is not a name here", hint, source.offset_of(root))
    for part in path:
        _check_characters(part, source)
    if root == "secrets" and len(path) == 1:
        raise ExpressionError(
            "ET502", "'secrets' cannot be read as a whole", "name the one you need", source.offset_of(root)
        )
    if any(str(part).startswith("_") for part in path[1:] if root not in ("env_vars", "inputs")):
        raise ExpressionError("ET502", "a name that begins with '_' cannot be read", "", source.offset_of(*path))


def _check_characters(value: object, source: ExpressionSource) -> None:
    found = FORBIDDEN_CHARACTERS.search(value) if isinstance(value, str) and not source.is_generated else None
    if found:
        message = f"a text in this expression holds the character U+{ord(found[0]):04X}"
        raise ExpressionError("ET502", message, "remove it, it hides what a text says", source.offset_of())


class _Rewriter:
    """Rewrites the tree of one expression in place, and collects what it reads."""

    def __init__(self, source: ExpressionSource) -> None:
        self.reads: list[Reference] = []
        self._source = source

    def rewrite(self, node: nodes.Expr, position: _Position) -> nodes.Expr:
        """The node to put in the place of one that stands at a position."""
        path = _name_path(node)
        if path:
            check_name(path, self._source)
            offset = self._source.offset_of(*path)
            self.reads.append(
                make_reference(path, offset, lenient=position.lenient, optional=position.optional, bare=position.bare)
            )
            return nodes.Name(f"_{len(self.reads) - 1}", "load", lineno=1)
        node = self._normalize(node)
        if isinstance(node, nodes.Const):
            self._check_constant(node.value)
        self._rewrite_children(node, position)
        return node

    def _check_constant(self, value: object) -> None:
        if isinstance(value, float) and isinf(value):
            raise ExpressionError("ET501", "a number in an expression is too large", "", self._source.offset_of())
        _check_characters(value, self._source)

    def _normalize(self, node: nodes.Expr) -> nodes.Expr:
        """The node, or one of plainer form that means the same."""
        if isinstance(node, nodes.Filter):
            self._check_known(node.name, FILTERS, "filter")
        elif isinstance(node, nodes.Test):
            self._check_known(node.name, TESTS, "test")
        elif isinstance(node, nodes.Getitem):
            return self._check_subscript(node)
        elif isinstance(node, nodes.Getattr):
            return self._check_subscript(nodes.Getitem(node.node, nodes.Const(node.attr, lineno=1), "load", lineno=1))
        elif isinstance(node, nodes.Concat):
            return nodes.Filter(nodes.List(node.nodes, lineno=1), "_concat", [], [], None, None, lineno=1)
        elif not isinstance(node, _ALLOWED_NODES):
            self._reject(node)
        return node

    def _rewrite_children(self, node: nodes.Node, position: _Position) -> None:
        for field, value in list(node.iter_fields()):
            inside = _child_position(node, field, position)
            if isinstance(value, nodes.Expr):
                setattr(node, field, self.rewrite(value, inside))
            elif isinstance(value, nodes.Helper):
                self._rewrite_children(value, inside)
            elif isinstance(value, list):
                setattr(node, field, [self._rewrite_item(item, inside) for item in value])

    def _rewrite_item(self, item: object, position: _Position) -> object:
        if isinstance(item, nodes.Helper):
            self._rewrite_children(item, position)
        elif isinstance(item, nodes.Expr):
            return self.rewrite(item, position)
        return item

    def _check_known(self, name: str, names: Iterable[str], kind: str) -> None:
        if name not in names:
            raise ExpressionError(
                "ET502", f"there is no {kind} '{name}' here", did_you_mean(name, names), self._source.offset_of(name)
            )

    def _check_subscript(self, node: nodes.Getitem) -> nodes.Getitem:
        if isinstance(node.arg, nodes.Const) and str(node.arg.value).startswith("_"):
            raise ExpressionError("ET502", "a name that begins with '_' cannot be read", "", self._source.offset_of())
        if isinstance(node.arg, nodes.Neg):
            message, hint = "a subscript counts from 0, and is never negative", "'… | last' is the last element"
            raise ExpressionError("ET502", message, hint, self._source.offset_of())
        if not isinstance(node.arg, nodes.Const):
            raise ExpressionError(
                "ET502", "a subscript must be a literal", "write config['name'] or a dot", self._source.offset_of()
            )
        return node

    def _reject(self, node: nodes.Node) -> None:
        what = {"Call": "a call", "Slice": "a slice", "Pow": "a power", "Tuple": "a tuple"}
        found = what.get(type(node).__name__, f"'{type(node).__name__.lower()}'")
        raise ExpressionError(
            "ET502", f"{found} is not allowed in an expression", "filters do most of it", self._source.offset_of()
        )


def _child_position(node: nodes.Node, field: str, outer: _Position) -> _Position:
    """How a child stands in its parent."""
    lenient = isinstance(node, (nodes.Filter, nodes.Test)) and node.name in _LENIENT and field == "node"
    branch = (isinstance(node, nodes.CondExpr) and field != "test") or (
        isinstance(node, (nodes.And, nodes.Or)) and field == "right"
    )
    # What stands on the right of `and` and `or` may also be the value that comes out.
    tested = isinstance(node, (nodes.And, nodes.Or)) and (field == "left" or outer.bare)
    bare = isinstance(node, nodes.Not) or (isinstance(node, nodes.CondExpr) and field == "test") or tested
    return _Position(lenient, outer.optional or branch, bare)


def _name_path(node: nodes.Expr) -> NamePath | None:
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
