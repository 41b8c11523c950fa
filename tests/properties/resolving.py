"""Expressions, taint and env-var text, evaluated naively with Jinja2 itself."""

import graphlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.environment import TemplateExpression
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from tests.properties.merging import MISSING, Conflict, Path, Plain, Secret, contains, same

READABLE = ("env_vars", "config", "endpoints", "feature_flags")
PIECES = re.compile(r"\$\$\{\{(?P<escaped>.*?(?:\}\}|$))|\$\{\{(?P<expression>.*?)\}\}", re.DOTALL)


class DottedNames(ImmutableSandboxedEnvironment):
    """A Jinja2 environment in which dots and brackets only read keys, and missing names are undefined at any depth."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Read a key."""
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Read a key or an index."""
        if isinstance(obj, dict) and argument in obj:
            return obj[argument]
        if isinstance(obj, list) and isinstance(argument, int) and 0 <= argument < len(obj):
            return obj[argument]
        return self.undefined(name=str(argument))


JINJA = DottedNames(undefined=jinja2.StrictUndefined)
JINJA.globals.clear()
# Equality is that of JSON; JINJA has it as tests, to which operators are translated.
JINJA.tests |= {"eq": same, "ne": lambda a, b: not same(a, b), "in": lambda a, b: contains(b, a)}


class _OperatorsAsTests(NodeTransformer):
    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 -- the name is that of Jinja2
        """Translate a single comparison for which the model has a test."""
        self.generic_visit(node)
        operand = node.ops[0]
        if len(node.ops) == 1 and operand.op in ("eq", "ne", "in"):
            return nodes.Test(node.expr, operand.op, [operand.expr], [], None, None, lineno=1)
        return node


@dataclass(frozen=True)
class World:
    """A merged tree before expressions are resolved, and the names that secrets inject into it."""

    tree: dict[str, Any]
    injected: frozenset[str]


def text_of(value: object) -> str:
    """Write a computed value as JSON text, strings without quotes."""
    if isinstance(value, Plain):
        return value.text
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def pieces(text: str) -> list[tuple[str, str]]:
    """Cut a text into plain text and expressions; escapes become plain text."""
    parts, end = [], 0
    for match in PIECES.finditer(text):
        parts.append(("text", closed(text[end : match.start()])))
        escaped = match["escaped"]
        parts.append(("expression", match["expression"]) if escaped is None else ("text", "${{" + escaped))
        end = match.end()
    parts.append(("text", closed(text[end:])))
    return [(kind, source) for kind, source in parts if source or kind == "expression"]


def closed(text: str) -> str:
    """Return the text; refuse an expression without an end."""
    if "${{" in text:
        raise Conflict("an expression without an end")
    return text


def reads(text: str) -> set[Path]:
    """List the dotted names that a text reads, each at its full length."""
    names: set[Path] = set()
    for kind, source in pieces(text):
        if kind == "expression":
            names |= set(names_of(parse(source)))
    return names


def parse(source: str) -> nodes.Node:
    """Parse one expression."""
    try:
        return JINJA.parse("{{" + source + "}}")
    except jinja2.TemplateSyntaxError as error:
        raise Conflict("a syntax error in an expression") from error


def names_of(node: nodes.Node) -> Iterator[Path]:
    """Walk a syntax tree and yield every longest chain of a name and its keys."""
    chain = chain_of(node)
    if chain:
        yield chain
        return
    for child in node.iter_child_nodes():
        yield from names_of(child)


def chain_of(node: nodes.Node) -> Path:
    """Spell `a.b['c']` as a path; empty for any other node."""
    if isinstance(node, nodes.Name):
        return (node.name,)
    if isinstance(node, nodes.Getattr):
        head, last = chain_of(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        head, last = chain_of(node.node), str(node.arg.value)
    else:
        return ()
    return (*head, last) if head else ()


def is_template(value: object) -> bool:
    """Report whether a value is text with an expression or an escape."""
    return isinstance(value, str) and "${{" in value


def templates(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Walk a value and yield every text with an expression or an escape."""
    if is_template(value):
        yield path, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from templates(item, (*path, str(key)))


def suppliers(tree: dict[str, Any], read: Path) -> set[Path]:
    """List the templates that a reference needs: one on the way to it, or all below it."""
    if read[0] not in READABLE:
        return set()
    value: Any = tree
    for depth, key in enumerate(read):
        if is_template(value):
            return {read[:depth]}
        value = child(value, key)
    return {path for path, _ in templates(value, read)}


def child(value: Any, key: str) -> Any:
    """Read one key or index, or nothing."""
    if isinstance(value, dict):
        return value.get(key, MISSING)
    if isinstance(value, list) and key.isdigit() and int(key) < len(value):
        return value[int(key)]
    return MISSING


def tainted(value: object, world: World, in_progress: frozenset[Path] = frozenset()) -> bool:
    """Report whether anything in a value reads a secret, directly or through other values."""
    if isinstance(value, Secret):
        return True
    return any(
        read_tainted(read, world, in_progress)
        for _, text in templates(value)
        for read in reads(text)
        if read not in in_progress
    )


def read_tainted(read: Path, world: World, in_progress: frozenset[Path]) -> bool:
    """Report whether a name that an expression reads leads to a secret."""
    if read[0] == "secrets":
        return True
    if read[0] == "env_vars" and ((read[1:2] == () and world.injected) or set(read[1:2]) & world.injected):
        return True
    return any(tainted(lookup(world.tree, path), world, in_progress | {read}) for path in suppliers(world.tree, read))


def lookup(tree: Any, path: Path) -> Any:
    """Find the value at a path through maps and lists."""
    for key in path:
        tree = child(tree, key)
    return tree


def resolve(tree: dict[str, Any], scope: dict[str, Any]) -> None:
    """Evaluate every template of a tree in place, each after all values that it reads."""
    unresolved = dict(templates(tree))
    graph: dict[Path, set[Path]] = {}
    for path, text in unresolved.items():
        graph[path] = {supplier for read in reads(text) for supplier in suppliers(tree, read)}
    try:
        order = list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        raise Conflict("values that need each other") from error
    for path in order:
        readable = {section: tree[section] for section in READABLE}
        readable["env_vars"] = {**tree["env_vars"], **scope["env_vars"]}
        put(tree, path, evaluate(unresolved[path], {**scope, **readable}, path[0]))


def put(tree: Any, path: Path, value: Any) -> None:
    """Set the value at a path through maps and lists."""
    holder = lookup(tree, path[:-1])
    if isinstance(holder, list):
        holder[int(path[-1])] = value
    else:
        holder[path[-1]] = value


def evaluate(text: str, scope: dict[str, Any], section: str) -> Any:
    """Compute a template: a lone expression keeps its type, but env vars are text."""
    values = [source if kind == "text" else compute(source, scope) for kind, source in pieces(text)]
    if section == "env_vars" and None in values:
        raise Conflict("an env var that is null")
    if len(values) == 1 and section != "env_vars":
        return values[0]
    return "".join(text_of(value) for value in values)


def compute(source: str, scope: dict[str, Any]) -> Any:
    """Evaluate one expression with Jinja2."""
    output = _OperatorsAsTests().visit(parse(source)).body[0].nodes[0]
    assign = nodes.Assign(nodes.Name("result", "store", lineno=1), output, lineno=1)
    template = JINJA.from_string(nodes.Template([assign], lineno=1))
    try:
        value = TemplateExpression(template, undefined_to_none=False)(**scope)
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError) as error:
        raise Conflict("an expression that fails") from error
    if has_undefined(value):
        raise Conflict("an undefined name")
    return value


def has_undefined(value: Any) -> bool:
    """Report whether a value, or anything in it, is undefined."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return isinstance(value, jinja2.Undefined) or any(map(has_undefined, parts))
