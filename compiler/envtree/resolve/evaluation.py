"""Evaluate one bundle: values form a graph, each is computed when it is first read."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jinja2 import StrictUndefined, TemplateError, Undefined, UndefinedError

from envtree.canonical import compact
from envtree.diagnostic import Diagnostic, Diagnostics, Failure, NotChecked, Related
from envtree.expression import Expression, Reference, Term
from envtree.keypath import format_path
from envtree.nearest import did_you_mean
from envtree.node import Cipher
from envtree.resolve.expression import Compiler
from envtree.resolve.functions import LIMIT, Misfit, to_text
from envtree.resolve.grammar import WrongExpression
from envtree.resolve.literals import Literals
from envtree.resolve.scope import Facts
from envtree.resolve.secrets import find, paths, secret
from envtree.resolved import HOLE, UNKNOWN, AsText, Composite, Derived, Hidden, Outside, Part, reveal
from envtree.span import Span
from envtree.value import Branch, Leaf, Listing, Merged, MergedStack, span_of

Key = tuple[str | int, ...]

_DEPTH = 100
_EXACT = 2**53


class _Missing:
    """There is no such name."""


MISSING: Final = _Missing()

class Engine(NamedTuple):
    """What all bundles of a run share."""

    compiler: Compiler
    literals: Literals
    outside: Outside
    diags: Diagnostics


class Evaluation:
    """The values of one bundle, computed on demand and once."""

    def __init__(self, merged: MergedStack, facts: Facts, engine: Engine) -> None:
        self._merged = merged
        self._facts = facts
        self._engine = engine
        self._done: dict[Key, Any] = {}
        self._running: list[Key] = []

    def put(self, name: str, value: Any) -> None:
        """Set the final value of an environment variable."""
        self._done["env_vars", name] = value

    def env_var(self, name: str, leaf: Leaf) -> Any:
        """The text of an environment variable that holds an expression."""
        key = ("env_vars", name)
        if key not in self._done:
            value = self._leaf(key, leaf)
            self._done[key] = self._as_text(value, key, leaf)
        return self._done[key]

    def value(self, node: Merged, key: Key) -> Any:
        """JSON data of a merged value, in which a Hidden may stand for any part."""
        if not node.dynamic:
            return self._engine.literals.data(node)
        if type(node) is Branch:
            return {name: self.value(child, (*key, name)) for name, child in node.entries.items()}
        if type(node) is Listing:
            return [self.value(item, (*key, n)) for n, item in enumerate(node.items)]
        assert type(node) is Leaf
        if key not in self._done:
            self._done[key] = self._leaf(key, node)
        return self._done[key]

    def secret(self, path: Key, place: Span, key: Key) -> Hidden | None:
        """A secret by its dotted path; a missing one is reported."""
        found = find(self._merged.secrets, path)
        if found is not None:
            return secret(found, self._engine.outside.plaintexts)
        name = format_path(tuple(map(str, path)))
        known = paths(self._merged.secrets)
        hint = did_you_mean(name, known) or "no secrets file stands in the layers of this bundle"
        self.report("ET601", place, key, f"there is no secret '{name}' in the layers of this bundle", hint)
        return None

    def is_tainted(self, node: Merged) -> bool:
        """Whether a shadowed value reads a secret anywhere, by the names that its expressions read."""
        if not node.dynamic:
            return False
        if type(node) is Branch:
            return any(map(self.is_tainted, node.entries.values()))
        if type(node) is Listing:
            return any(map(self.is_tainted, node.items))
        try:
            expression = self._engine.compiler.compile(str(node.node.value))
        except WrongExpression:
            return False
        values = [self._read(read, ()) for read in expression.reads]
        return _mentions_secret(expression) or any(isinstance(value, Hidden) and value.secret for value in values)

    def report(self, code: str, place: Span, key: Key, message: str, hint: str = "", *related: Related) -> None:
        """Report a finding about a value of this bundle."""
        name = format_path(tuple(map(str, key)))
        bundle = self._merged.stack.target.id
        self._engine.diags.add(Diagnostic(place, code, message, hint, related, name, bundle))

    def _leaf(self, key: Key, leaf: Leaf) -> Any:
        if key in self._running:
            self._report_circle(key, leaf)
            return HOLE
        if len(self._running) >= _DEPTH:
            self.report("ET507", span_of(leaf), key, f"values depend on each other over more than {_DEPTH} steps")
            return HOLE
        self._running.append(key)
        try:
            expression = self._engine.compiler.compile(str(leaf.node.value))
            return self._evaluate(expression, key, leaf)
        except WrongExpression as wrong:
            self.report(wrong.code, place_in(leaf, wrong.offset), key, wrong.message, wrong.hint)
            return HOLE
        finally:
            self._running.pop()

    def _evaluate(self, expression: Expression, key: Key, leaf: Leaf) -> Any:
        operands = tuple(self._operand(read, key, leaf) for read in expression.reads)
        if any(value is HOLE for value in operands):
            return HOLE
        hidden = [value for value in operands if isinstance(value, Hidden)]
        # Whoever mentions a secret is one, whatever a condition makes of it.
        secret = any(value.secret for value in hidden) or _mentions_secret(expression)
        if any(not value.known for value in hidden):
            self._skip_undefined(expression, operands, key, leaf)
            return Hidden(UNKNOWN, secret=secret, symbol=Derived(expression, operands))
        plain = [value.reveal() if isinstance(value, Hidden) else value for value in operands] if hidden else operands
        result = self._run(expression, plain, key, leaf)
        if not secret or result is HOLE:
            return result
        return Hidden(result, secret=True, symbol=Derived(expression, operands))

    def _skip_undefined(self, expression: Expression, operands: tuple[Any, ...], key: Key, leaf: Leaf) -> None:
        """Whether a branch that reads a name that does not exist is taken depends on what is unknown."""
        if any(isinstance(value, Undefined) and not read.lenient for read, value in zip(expression.reads, operands, strict=True)):
            name, id = format_path(tuple(map(str, key))), self._merged.stack.target.id
            self._engine.diags.skip(NotChecked(span_of(leaf), "ET503", name, id))

    def _run(self, expression: Expression, operands: Any, key: Key, leaf: Leaf) -> Any:
        values, at = [], 0
        for piece in expression.pieces:
            if isinstance(piece, str):
                values.append(piece)
                continue
            mine = operands[at : at + len(piece.reads)]
            at += len(piece.reads)
            value = mine[0] if piece.run is None else self._call(piece, mine, key, leaf)
            if value is HOLE:
                return HOLE
            values.append(value)
        if expression.whole:
            return values[0]
        if None in values and key[0] == "env_vars":
            return None
        text = "".join([value if type(value) is str else to_text(value) for value in values])
        return text if len(text) <= LIMIT else self._too_large(key, leaf)

    def _call(self, term: Term, operands: Any, key: Key, leaf: Leaf) -> Any:
        assert term.run is not None
        names = {f"_{n}": value for n, value in enumerate(operands)}
        try:
            result = term.run(names)
        except UndefinedError:
            return self._report_undefined(term, operands, key, leaf)
        except Misfit as misfit:
            return self._broken(str(misfit), term, key, leaf)
        except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError, RecursionError):
            return self._broken("its operands do not fit together", term, key, leaf)
        if isinstance(result, Undefined):
            return self._report_undefined(term, operands, key, leaf)
        if not _is_json(result):
            return self._broken("its result is not JSON data within the exact range", term, key, leaf)
        large = len(result) if isinstance(result, str) else len(compact(result))
        return result if large <= LIMIT else self._too_large(key, leaf)

    def _operand(self, read: Reference, key: Key, leaf: Leaf) -> Any:
        value = self._read(read, key)
        if value is not MISSING:
            return value
        if read.lenient or read.optional:
            return StrictUndefined(name=format_path(tuple(map(str, read.path))))
        return self._report_missing(read, key, leaf)

    def _report_missing(self, read: Reference, key: Key, leaf: Leaf) -> Hidden:
        place, name = place_in(leaf, read.offset), format_path(tuple(map(str, read.path)))
        if read.path[0] == "secrets":
            message = f"there is no secret '{name.removeprefix('secrets.')}' in the layers of this bundle"
            self.report("ET601", place, key, message, self._hint(read.path))
        else:
            self.report("ET503", place, key, f"'{name}' does not exist in this bundle", self._hint(read.path))
        return HOLE

    def _read(self, read: Reference, key: Key) -> Any:
        root, rest = str(read.path[0]), read.path[1:]
        if root == "env_vars":
            return self._read_env(rest, read, key)
        if root == "secrets":
            found = find(self._merged.secrets, rest)
            return MISSING if found is None else secret(found, self._engine.outside.plaintexts)
        if root == "inputs":
            return self._read_input(rest)
        if root in self._facts:
            return _walk(self._facts[root], rest)
        return self._read_section(root, rest)

    def _read_env(self, rest: Key, read: Reference, key: Key) -> Any:
        section = self._merged.sections.get("env_vars")
        entries = section.entries if type(section) is Branch else {}
        if not rest:
            names = {*entries, *(str(name) for root, *(name, *_) in self._done if root == "env_vars")}
            return _seal({name: self._read_env((name,), read, key) for name in sorted(names)})
        name = str(rest[0])
        if len(rest) > 1:
            return MISSING
        found = self._done.get(("env_vars", name), MISSING)
        leaf = entries.get(name)
        if found is MISSING and type(leaf) is Leaf:
            found = self.env_var(name, leaf) if leaf.dynamic else leaf.node.text
        if read.bare and type(leaf) is Leaf and isinstance(leaf.node.value, bool) and key:
            message = f"'env_vars.{name}' is a text here, and the text '{leaf.node.text}' counts as true"
            self.report("ET550", span_of(leaf), key, message, f"compare: env_vars.{name} == 'true'")
        return found

    def _read_input(self, rest: Key) -> Any:
        if len(rest) != 1 or str(rest[0]) not in (self._facts["inputs"] or {}):
            return MISSING
        name = str(rest[0])
        value = (self._facts["inputs"] or {})[name]
        if isinstance(value, Hidden) and self._engine.outside.inputs_required:
            hint = f"set it with --input {name}=…, or give it a default in organization.yaml"
            raise Failure("ET509", f"input '{name}' has neither a value nor a default", hint)
        return value

    def _read_section(self, root: str, rest: Key) -> Any:
        node = self._merged.sections.get(root)
        key: Key = (root,)
        for n, part in enumerate(rest):
            if node is None or isinstance(node, Leaf):
                break
            node = _child(node, part)
            key = (*key, part)
        else:
            return MISSING if node is None else _seal(self.value(node, key))
        if node is None:
            return MISSING
        value = self.value(node, key)
        return _walk(value, rest[n:])

    def _as_text(self, value: Any, key: Key, leaf: Leaf) -> Any:
        if value is None or (isinstance(value, Hidden) and value.known and value.reveal() is None):
            message = f"the expression gives null, but '{key[1]}' must be a text"
            self.report("ET506", span_of(leaf), key, message, "give a default: ${{ … | default('') }}")
            return HOLE
        return as_environment_text(value)

    def _hint(self, path: Key) -> str:
        root, parent = str(path[0]), path[:-1]
        if root == "secrets":
            return did_you_mean(format_path(tuple(map(str, path[1:]))), paths(self._merged.secrets))
        if root in self._facts:
            return did_you_mean(str(path[-1]), list(self._facts[root] or ()))
        node: Merged | None = self._merged.sections.get(root)
        for part in parent[1:]:
            node = _child(node, part) if isinstance(node, (Branch, Listing)) else None
        names = node.entries if type(node) is Branch else ()
        return did_you_mean(str(path[-1]), names)

    def _report_circle(self, key: Key, leaf: Leaf) -> None:
        chain = [*self._running[self._running.index(key) :], key]
        told = " → ".join(format_path(tuple(map(str, step))) for step in chain)
        self.report("ET504", span_of(leaf), key, f"values depend on each other in a circle: {told}", "break the chain")

    def _broken(self, why: str, term: Term, key: Key, leaf: Leaf) -> Hidden:
        self.report("ET505", place_in(leaf, term.offset), key, f"this expression cannot be evaluated: {why}")
        return HOLE

    def _report_undefined(self, term: Term, operands: Any, key: Key, leaf: Leaf) -> Hidden:
        """A branch that was taken reads a name that does not exist, or a part that a value does not have."""
        for read, operand in zip(term.reads, operands, strict=True):
            if isinstance(operand, Undefined) and not read.lenient:
                return self._report_missing(read, key, leaf)
        return self._broken("it reads what does not exist", term, key, leaf)

    def _too_large(self, key: Key, leaf: Leaf) -> Hidden:
        self.report("ET507", span_of(leaf), key, f"the computed value is longer than {LIMIT} characters")
        return HOLE


def as_environment_text(value: Any) -> Any:
    """The text that a value is as an environment variable; what is hidden stays hidden."""
    if not isinstance(value, Hidden):
        return value if type(value) is str else to_text(value)
    if value is HOLE or _is_text(value.symbol):
        return value
    plain = to_text(value.reveal()) if value.known else UNKNOWN
    return Hidden(plain, secret=value.secret, symbol=AsText(value))


def _is_text(symbol: Any) -> bool:
    """Whether a hidden value is known to be text, whatever it holds."""
    if type(symbol) is Leaf and isinstance(symbol.node.value, Cipher):
        return symbol.node.value.type == "str"
    return type(symbol) is Derived and not symbol.expression.whole


def _mentions_secret(expression: Expression) -> bool:
    return any(read.path[0] == "secrets" for read in expression.reads)


def place_in(leaf: Leaf, offset: int) -> Span:
    """The place of a character of a scalar's text, where the text stands in the file as it is."""
    line, column, end_line, end_column = leaf.node.at
    quotes = end_column - column - len(leaf.node.text)
    if line != end_line or quotes not in (0, 2) or offset == 0:
        return span_of(leaf)
    return Span(leaf.layer.path, line, column + quotes // 2 + offset, end_line, end_column - quotes // 2)


def _child(node: Branch | Listing, part: str | int) -> Merged | None:
    if type(node) is Branch:
        return node.entries.get(str(part))
    assert type(node) is Listing
    if isinstance(part, int) and -len(node.items) <= part < len(node.items):
        return node.items[part]
    return None


def _walk(value: Any, rest: Key) -> Any:
    """Follow names into JSON data; a part of a hidden value is hidden."""
    for n, part in enumerate(rest):
        if isinstance(value, Hidden):
            return _part_of_hidden(value, rest[n:])
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
            value = value[part]
        else:
            return MISSING
    return _seal(value)


def _part_of_hidden(value: Hidden, rest: Key) -> Any:
    if value is HOLE:
        return value
    if not value.known:
        return Hidden(UNKNOWN, secret=value.secret, symbol=Part(value, rest))
    inner = _walk(value.reveal(), rest)
    return inner if inner is MISSING else Hidden(inner, secret=value.secret, symbol=Part(value, rest))


def _seal(value: Any) -> Any:
    """JSON data, or one Hidden for all of it when any part is hidden."""
    if not isinstance(value, (dict, list)):
        return value
    parts = [part for part in _leaves(value) if isinstance(part, Hidden)]
    if not parts:
        return value
    known = all(part.known for part in parts)
    plain = reveal(value) if known else UNKNOWN
    return Hidden(plain, secret=any(part.secret for part in parts), symbol=Composite(value))


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in _leaves(child)]
    if isinstance(value, list):
        return [leaf for child in value for leaf in _leaves(child)]
    return [value]


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(child) for key, child in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return -_EXACT <= value <= _EXACT or (isinstance(value, float) and abs(value) < float("inf"))
    return value is None or isinstance(value, (str, bool))

