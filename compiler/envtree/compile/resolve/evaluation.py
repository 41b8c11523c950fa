"""Evaluate one bundle: values form a graph, each is computed when it is first read."""

from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Undefined

from envtree.compile.filters import is_writable
from envtree.compile.resolve.compute import Fault, as_environment_text, compute, fold, limit
from envtree.compile.resolve.expression import Compiler
from envtree.compile.resolve.grammar import COMPUTED, WrongExpression
from envtree.compile.resolve.literals import Literals
from envtree.compile.resolve.lookup import MISSING, descend, seal, walk
from envtree.compile.resolve.results import Results
from envtree.compile.resolve.secrets import Secrets, find, paths
from envtree.compile.resolve.variables import Variables
from envtree.compile.resolve.weight import derived, overweight
from envtree.diagnostics.suggest import did_you_mean
from envtree.model.diagnostic import Diagnostic, Diagnostics, Failure, NotChecked, Related
from envtree.model.entities import Roster
from envtree.model.expression import Expression, NamePath, Reference
from envtree.model.keypath import format_path
from envtree.model.merged import Branch, Leaf, Listing, Merged, MergedStack, span_of
from envtree.model.resolved import HOLE, UNKNOWN, Hidden, Outside
from envtree.model.span import Span
from envtree.model.workspace import Fields

# How many values may be under way at once: each takes a part of Python's stack.
_DEEPEST = 20
_SHOWN_OF_A_CIRCLE = 12
_UNSET = "set it in a layer of this bundle, or read it with … | default('')"
_UNDECLARED = "declare it under 'inputs' in organization.yaml: nothing else is read from outside"


class _LaterError(Exception):
    """A value has to wait for another, which has to be computed from a fresh stack; `waiting` is who waits."""

    def __init__(self, key: NamePath, leaf: Leaf, waiting: list[NamePath]) -> None:
        super().__init__()
        self.key, self.leaf, self.waiting = key, leaf, waiting


class Engine(NamedTuple):
    """What all bundles of a run share."""

    compiler: Compiler
    literals: Literals
    variables: Variables
    results: Results
    secrets: Secrets
    roster: Roster
    outside: Outside
    diags: Diagnostics


class Evaluation:
    """The values of one bundle, computed on demand and once.

    `texts` has the environment variables that are final; computed ones are added as they are read.
    """

    def __init__(self, merged: MergedStack, texts: dict[str, Any], engine: Engine) -> None:
        self.texts = texts
        self._merged = merged
        self._engine = engine
        self._done: dict[NamePath, Any] = {}
        self._running: list[NamePath] = []
        self._waiting: dict[NamePath, None] = {}

    @cached_property
    def _facts(self) -> dict[str, Fields | None]:
        """What expressions may read beside values, and few do: the fields of a bundle's entities, and the inputs."""
        return self._engine.roster.of(self._merged.stack.target).fields | {"inputs": self._engine.outside.inputs}

    def env_vars(self, leaves: Mapping[str, Leaf], without: Container[str]) -> None:
        """The texts of all variables that hold expressions, but for some."""
        recall, texts = self._engine.results.recall, self.texts
        for name, leaf in leaves.items():
            if name not in texts and name not in without:
                found = recall(source := str(leaf.node.value), texts)
                texts[name] = self._computed(name, leaf, source) if found is None else found

    def env_var(self, name: str, leaf: Leaf) -> Any:
        """The text of an environment variable that holds an expression."""
        found: Any = self.texts.get(name)
        if found is not None:
            return found
        source = str(leaf.node.value)
        found = self._engine.results.recall(source, self.texts)
        if found is None:
            found = self._computed(name, leaf, source)
        self.texts[name] = found
        return found

    def _computed(self, name: str, leaf: Leaf, source: str) -> Any:
        found = self._text(name, leaf)
        if expression := self._engine.compiler.recall(source):
            self._engine.results.keep(source, expression, self.texts, found)
        return found

    def _text(self, name: str, leaf: Leaf) -> Any:
        value = self._compute(("env_vars", name), leaf)
        if value is None or (isinstance(value, Hidden) and value.known and value.reveal() is None):
            message = f"the expression gives null, but '{name}' must be a text"
            self.report("ET506", span_of(leaf), ("env_vars", name), message, "give a default: ${{ … | default('') }}")
            return HOLE
        return as_environment_text(value)

    def value(self, node: Merged, key: NamePath) -> Any:
        """JSON data of a merged value, in which a Hidden may stand for any part."""
        if not node.dynamic:
            return self._engine.literals.data(node)
        if type(node) is Branch:
            return {name: self.value(inner, (*key, name)) for name, inner in node.entries.items()}
        if type(node) is Listing:
            return [self.value(item, (*key, n)) for n, item in enumerate(node.items)]
        assert type(node) is Leaf
        if key not in self._done:
            self._done[key] = self._compute(key, node)
        return self._done[key]

    def secret(self, path: NamePath, place: Span, key: NamePath) -> Hidden | None:
        """A secret by its dotted path; a missing one is reported."""
        found = find(self._merged.secrets, path)
        if found is None:
            self._report_no_secret(path, place, key)
            return None
        return self._engine.secrets.value(found)

    def taint(self, node: Merged) -> bool | None:
        """Whether a value, be it shadowed, reads a secret anywhere; None when that cannot be told."""
        if not node.dynamic:
            return False
        if not isinstance(node, Leaf):
            parts = {self.taint(part) for part in (node.items if isinstance(node, Listing) else node.entries.values())}
            return True if True in parts else None if None in parts else False
        try:
            expression = self._engine.compiler.compile(str(node.node.value))
        except WrongExpression:
            return None
        # Nothing else can be secret, and a shadowed read of an input must not ask for its value.
        values = [self._read(read) for read in expression.reads if read.path[0] in COMPUTED]
        if expression.secret or any(type(value) is Hidden and value.secret for value in values):
            return True
        return None if any(value is HOLE for value in values) else False

    def report(self, code: str, place: Span, key: NamePath, message: str, hint: str = "", *related: Related) -> None:
        """Report a finding about a value of this bundle."""
        bundle = self._merged.stack.target.id
        self._engine.diags.add(Diagnostic(place, code, message, hint, related, _name(key), bundle))

    def _compute(self, key: NamePath, leaf: Leaf) -> Any:
        """The value of a scalar with expressions; a HOLE when it has none, which has then been reported."""
        while True:
            try:
                return self._step(key, leaf)
            except _LaterError as later:
                if self._running or self._waiting:
                    raise
                self._catch_up(later)

    def _catch_up(self, later: _LaterError) -> None:
        """Compute what a value waits for, the last of a long chain first; what is computed is remembered."""
        agenda = [later]
        while agenda:
            now = agenda[-1]
            self._waiting.update(dict.fromkeys(now.waiting))
            try:
                if now.key[0] == "env_vars":
                    self.env_var(str(now.key[1]), now.leaf)
                else:
                    self.value(now.leaf, now.key)
            except _LaterError as deeper:
                agenda.append(deeper)
                continue
            agenda.pop()
            for key in now.waiting:
                del self._waiting[key]

    def _step(self, key: NamePath, leaf: Leaf) -> Any:
        """The value of a scalar, unless too much is under way already."""
        if key in self._running or key in self._waiting:
            self._report_circle(key, leaf)
            return HOLE
        if len(self._running) >= _DEEPEST:
            raise _LaterError(key, leaf, [*self._running])
        self._running.append(key)
        try:
            return self._evaluate(self._engine.compiler.compile(str(leaf.node.value)), key, leaf)
        except WrongExpression as wrong:
            self.report(wrong.code, place_in(leaf, wrong.offset), key, wrong.message, wrong.hint)
        except Fault as fault:
            if fault.missing:
                self._report_missing(fault.missing, key, leaf)
            else:
                self.report(fault.code, place_in(leaf, fault.offset), key, fault.message)
        except RecursionError:
            if len(self._running) > 1:
                raise _LaterError(key, leaf, self._running[:-1]) from None
            self.report("ET507", span_of(leaf), key, "this value is nested too deeply")
        finally:
            self._running.pop()
        return HOLE

    def _evaluate(self, expression: Expression, key: NamePath, leaf: Leaf) -> Any:
        operands = []
        hidden = expression.secret
        for read in expression.reads:
            value = self.texts.get(read.variable) if read.variable else None
            if value is None:
                value = self._operand(read, key, leaf)
            hidden = hidden or type(value) is Hidden
            operands.append(value)
        if hidden:
            return self._evaluate_hidden(expression, operands, key, leaf)
        return compute(expression, operands, null_spreads=key[0] == "env_vars")

    def _evaluate_hidden(self, expression: Expression, operands: list[Any], key: NamePath, leaf: Leaf) -> Any:
        """An expression over what is hidden; whoever mentions a secret is one, whatever a condition makes of it."""
        if any(value is HOLE for value in operands):
            return HOLE
        # A plain name stands for what it names, however many of them follow each other.
        value = operands[0] if expression.plain else self._derived(expression, operands, key, leaf)
        if isinstance(value, Hidden) and (why := overweight(value.symbol)):
            raise Fault("ET507", why, 0)
        if expression.plain and value.known:
            limit(value.reveal(), expression.reads[0].offset)
        return value

    def _derived(self, expression: Expression, operands: list[Any], key: NamePath, leaf: Leaf) -> Any:
        """What an expression makes of these very operands: bundles that share them share it, too."""
        results, place = self._engine.results, (str(leaf.node.value), key[0] == "env_vars")
        value = results.recall_hidden(place, operands)
        if value is None:
            value = self._derive(expression, operands, key, leaf)
            results.keep_hidden(place, operands, value)
        return value

    def _derive(self, expression: Expression, operands: list[Any], key: NamePath, leaf: Leaf) -> Any:
        hidden = [value for value in operands if isinstance(value, Hidden)]
        is_secret = expression.secret or any(value.secret for value in hidden)
        null_spreads = key[0] == "env_vars"
        folded = fold(expression, operands, null_spreads=null_spreads)
        if folded is None:
            return None
        expression, operands = folded
        symbol = derived(expression, operands)
        if not all(value.known for value in hidden):
            self._skip_undefined(expression, operands, key, leaf)
            return Hidden(UNKNOWN, secret=is_secret, symbol=symbol)
        plain = [value.reveal() if isinstance(value, Hidden) else value for value in operands]
        result = compute(expression, plain, null_spreads=null_spreads)
        return Hidden(result, secret=is_secret, symbol=symbol)

    def _operand(self, read: Reference, key: NamePath, leaf: Leaf) -> Any:
        if read.bare:
            self._check_bare(read, key, leaf)
        value = self._read(read)
        if value is not MISSING:
            return value
        if read.lenient or read.optional:
            return StrictUndefined(name=_name(read.path))
        self._report_missing(read, key, leaf)
        return HOLE

    def _read(self, read: Reference) -> Any:
        root, rest = str(read.path[0]), read.path[1:]
        if root == "env_vars":
            return self._read_env(read)
        if root == "secrets":
            found = find(self._merged.secrets, rest)
            return MISSING if found is None else self._engine.secrets.value(found)
        if root == "inputs":
            return self._read_input(rest, read.offset)
        if root in self._facts:
            return walk(self._facts[root], rest)
        node, used = descend(self._merged.sections.get(root), rest)
        return MISSING if node is None else walk(self.value(node, read.path[: used + 1]), rest[used:])

    def _check_bare(self, read: Reference, key: NamePath, leaf: Leaf) -> None:
        """A condition on a literal boolean of the environment, which is a text and so always true."""
        found, used = descend(self._merged.sections.get("env_vars"), read.path[1:])
        if read.path[0] == "env_vars" and used and type(found) is Leaf and isinstance(found.node.value, bool):
            name = _name(read.path)
            message = f"'{name}' is text here, and the text '{found.node.text}' counts as true"
            related = Related(span_of(found), "the value")
            self.report("ET550", place_in(leaf, read.offset), key, message, f"compare: {name} == 'true'", related)

    def _read_env(self, read: Reference) -> Any:
        entries = self._merged.entries("env_vars")
        if len(read.path) == 1:
            return seal({name: self._read_variable(name, entries) for name in sorted({*entries, *self.texts})})
        if len(read.path) > 2:
            return MISSING
        return self._read_variable(str(read.path[1]), entries)

    def _read_variable(self, name: str, entries: dict[str, Merged]) -> Any:
        leaf = entries.get(name)
        if name in self.texts or type(leaf) is not Leaf:
            return self.texts.get(name, MISSING)
        return self.env_var(name, leaf) if leaf.dynamic else leaf.node.text

    def _read_input(self, rest: NamePath, offset: int) -> Any:
        inputs = self._engine.outside.inputs
        name = str(rest[0]) if len(rest) == 1 else ""
        value = inputs.get(name, MISSING)
        if isinstance(value, Hidden) and self._engine.outside.inputs_required:
            hint = f"set it with --input {name}=…, or give it a default in organization.yaml"
            raise Failure("ET509", f"input '{name}' has neither a value nor a default", hint)
        if isinstance(value, str) and not is_writable(value):
            raise Fault("ET505", f"the value of input '{name}' is not text in UTF-8", offset)
        return value

    def _skip_undefined(self, expression: Expression, operands: list[Any], key: NamePath, leaf: Leaf) -> None:
        """Whether a branch that reads a name that does not exist is taken depends on what is unknown."""
        pairs = zip(expression.reads, operands, strict=True)
        if any(isinstance(value, Undefined) and not read.lenient for read, value in pairs):
            self._engine.diags.skip(NotChecked(span_of(leaf), "ET503", _name(key), self._merged.stack.target.id))

    def _report_missing(self, read: Reference, key: NamePath, leaf: Leaf) -> None:
        place = place_in(leaf, read.offset)
        if read.path[0] == "secrets":
            self._report_no_secret(read.path[1:], place, key)
        else:
            hint = self._near(read, key) or (_UNDECLARED if read.path[0] == "inputs" else _UNSET)
            self.report("ET503", place, key, f"'{_name(read.path)}' does not exist in this bundle", hint)

    def _report_no_secret(self, path: NamePath, place: Span, key: NamePath) -> None:
        hint = did_you_mean(_name(path), paths(self._merged.secrets))
        hint = hint or "no layer of this bundle has a secrets file; 'envtree secrets set' begins one"
        self.report("ET601", place, key, f"there is no secret '{_name(path)}' in the layers of this bundle", hint)

    def _near(self, read: Reference, key: NamePath) -> str:
        """A hint with the names beside the one that is missing, but for the value that reads it."""
        parent = read.path[:-1]
        known = [str(name) for name in self._names(parent) if (*parent, name) != key]
        return did_you_mean(str(read.path[-1]), known, lambda name: _name((*parent, name)))

    def _names(self, path: NamePath) -> Iterable[str]:
        if path and path[0] in self._facts:
            return self._facts[str(path[0])] or ()
        node, used = descend(self._merged.sections.get(str(path[0])), path[1:]) if path else (None, 0)
        return node.entries if type(node) is Branch and used == len(path) - 1 else ()

    def _report_circle(self, key: NamePath, leaf: Leaf) -> None:
        under_way = [*self._waiting, *self._running, key]
        circle = [_name(each) for each in under_way[under_way.index(key) :]]
        if len(circle) > _SHOWN_OF_A_CIRCLE:
            circle[_SHOWN_OF_A_CIRCLE - 2 : -2] = ["…"]
        chain = " → ".join(circle)
        self.report("ET504", span_of(leaf), key, f"values depend on each other in a circle: {chain}", "break the chain")


def place_in(leaf: Leaf, offset: int) -> Span:
    """The place in a scalar up to the end of an expression, where its text stands in the file as it is."""
    line, column, end_line, end_column = leaf.node.at
    text = leaf.node.text
    quotes = end_column - column - len(text)
    if line != end_line or quotes not in (0, 2) or offset == 0:
        return span_of(leaf)
    begin = column + quotes // 2 + offset
    closing = text.find("}}", offset)
    length = len(text[offset : closing if closing > offset else None].rstrip())
    return Span(leaf.layer.path, line, begin, end_line, begin + max(length, 1))


def _name(path: NamePath) -> str:
    return format_path(tuple(map(str, path)))
