"""The grammar of expressions: an allow-list over Jinja2's syntax tree, and the references in it."""

import re
from collections.abc import Iterable
from itertools import takewhile
from math import isinf
from typing import NamedTuple

from jinja2 import nodes

from envtree.compile.comparison import TESTS
from envtree.compile.filters import FILTERS
from envtree.compile.resolve.typed_comparison import name_path, typed_comparisons
from envtree.diagnostics.suggest import did_you_mean
from envtree.model.expression import NamePath, Reference, make_reference

# The sections that a bundle computes, and all roots that an expression may read.
COMPUTED_ROOTS = ("env_vars", "config", "endpoints", "feature_flags")
ROOTS = (*COMPUTED_ROOTS, "organization", "project", "environment", "team", "agent", "inputs", "secrets")

# The characters that are refused in files; in an expression they are refused as escapes, too.
FORBIDDEN_CHARACTERS = re.compile(
    "[\0\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

# A key with a `-` after a dot, which is a subtraction to Jinja2.
_HYPHENATED = re.compile(rf"\b(?P<parent>(?:{'|'.join(ROOTS)})(?:\.\w+)*)\.(?P<key>\w+(?:-\w+)+)")
_NULLS = frozenset({"null", "nil"})
# The filters and tests that accept a missing name.
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
    """An expression is malformed or not allowed; `offset` is the position in the text."""

    def __init__(self, code: str, message: str, hint: str, offset: int) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.offset = code, message, hint, offset


class ExpressionSource(NamedTuple):
    """The text of an expression, and its offset in the value; `is_generated` if envtree wrote it."""

    text: str
    offset: int
    is_generated: bool = False

    def offset_of(self, *names: str | int) -> int:
        """Return the first offset of a dotted name, or of the expression if the name is written in another form."""
        identifiers = takewhile(lambda name: isinstance(name, str) and name.isidentifier(), names)
        pattern = r"\s*\.\s*".join(map(str, identifiers))
        match = re.search(rf"(?<![\w.]){pattern}(?!\w)", self.text) if pattern else None
        return self.offset + (match.start() if match else len(self.text) - len(self.text.lstrip()))


class _Position(NamedTuple):
    """The position of a node in the expression; the fields are explained in Reference."""

    lenient: bool = False
    optional: bool = False
    bare: bool = False


def check_expression(tree: nodes.Expr, source: ExpressionSource) -> tuple[nodes.Expr, tuple[Reference, ...]]:
    """Return the tree with each name that it reads as `_0`, `_1`, …, and their references; raise ExpressionError."""
    rewriter = _Rewriter(source)
    return rewriter.rewrite(tree, _Position()), tuple(rewriter.references)


def check_name(path: NamePath, source: ExpressionSource) -> None:
    """Raise ExpressionError for a name that can never be read, whatever the bundle."""
    root = str(path[0])
    if root not in ROOTS:
        raise ExpressionError("ET503", f"'{root}' is not a name here", _root_hint(root, source), source.offset_of(root))
    for part in path:
        _check_characters(part, source)
    if root == "secrets" and len(path) == 1:
        raise ExpressionError(
            "ET502", "'secrets' cannot be read as a whole", "name the one you need", source.offset_of(root)
        )
    if any(str(part).startswith("_") for part in path[1:] if root not in ("env_vars", "inputs")):
        raise ExpressionError("ET502", "a name that begins with '_' cannot be read", "", source.offset_of(*path))


def _root_hint(root: str, source: ExpressionSource) -> str:
    """Return what to write in the place of an unknown root: it may be a variable, or the end of a key with a `-`."""
    if root.lower() in _NULLS:
        return "write none"
    for match in _HYPHENATED.finditer(source.text):
        if root in match["key"].split("-"):
            return f"write {match['parent']}['{match['key']}']"
    return f"write env_vars.{root}" if root.isupper() and root.lower() not in ROOTS else did_you_mean(root, ROOTS)


def _check_characters(value: object, source: ExpressionSource) -> None:
    match = FORBIDDEN_CHARACTERS.search(value) if isinstance(value, str) and not source.is_generated else None
    if match:
        message = f"a text in this expression holds the character U+{ord(match[0]):04X}"
        raise ExpressionError("ET502", message, "remove it, it hides what a text says", source.offset_of())


class _Rewriter:
    """Rewriter of the tree of one expression, in place; it collects the references."""

    def __init__(self, source: ExpressionSource) -> None:
        self.references: list[Reference] = []
        self._source = source
        # The hints for names that are compared with values of another type, by the id of the node of the name.
        self._typed_comparisons: dict[int, str] = {}

    def rewrite(self, node: nodes.Expr, position: _Position) -> nodes.Expr:
        """Return the replacement of a node at a position."""
        path = name_path(node)
        if path:
            check_name(path, self._source)
            offset = self._source.offset_of(*path)
            reference = make_reference(
                path, offset, lenient=position.lenient, optional=position.optional, bare=position.bare
            )
            if hint := self._typed_comparisons.get(id(node)):
                reference = reference._replace(typed_comparison=hint, variable="")
            self.references.append(reference)
            return nodes.Name(f"_{len(self.references) - 1}", "load", lineno=1)
        node = self._normalize(node)
        self._typed_comparisons |= typed_comparisons(node)
        if isinstance(node, nodes.Const):
            self._check_constant(node.value)
        self._rewrite_children(node, position)
        return node

    def _check_constant(self, value: object) -> None:
        if isinstance(value, float) and isinf(value):
            raise ExpressionError("ET501", "a number in an expression is too large", "", self._source.offset_of())
        _check_characters(value, self._source)

    def _normalize(self, node: nodes.Expr) -> nodes.Expr:
        """Return the node, or a simpler equivalent one; raise ExpressionError if it is not allowed."""
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
            child_position = _child_position(node, field, position)
            if isinstance(value, nodes.Expr):
                setattr(node, field, self.rewrite(value, child_position))
            elif isinstance(value, nodes.Helper):
                self._rewrite_children(value, child_position)
            elif isinstance(value, list):
                setattr(node, field, [self._rewrite_item(item, child_position) for item in value])

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
        if not isinstance(node.arg, nodes.Const) or type(node.arg.value) not in (str, int):
            raise ExpressionError(
                "ET502",
                "a subscript must be a literal",
                "write config['name'] or a dot",
                self._source.offset_of(),
            )
        return node

    def _reject(self, node: nodes.Node) -> None:
        descriptions = {"Call": "a call", "Slice": "a slice", "Pow": "a power", "Tuple": "a tuple"}
        description = descriptions.get(type(node).__name__, f"'{type(node).__name__.lower()}'")
        raise ExpressionError(
            "ET502", f"{description} is not allowed in an expression", "filters do most of it", self._source.offset_of()
        )


def _child_position(node: nodes.Node, field: str, outer: _Position) -> _Position:
    """Return the position of a child in a field of its parent."""
    lenient = isinstance(node, (nodes.Filter, nodes.Test)) and node.name in _LENIENT and field == "node"
    is_branch = (isinstance(node, nodes.CondExpr) and field != "test") or (
        isinstance(node, (nodes.And, nodes.Or)) and field == "right"
    )
    is_fallback = isinstance(node, nodes.Filter) and node.name in ("default", "d") and field in ("args", "kwargs")
    # The right operand of `and` and `or` may also be the result, so it is bare only if the whole is.
    is_tested = isinstance(node, (nodes.And, nodes.Or)) and (field == "left" or outer.bare)
    bare = isinstance(node, nodes.Not) or (isinstance(node, nodes.CondExpr) and field == "test") or is_tested
    return _Position(lenient, outer.optional or is_branch or is_fallback, bare)
