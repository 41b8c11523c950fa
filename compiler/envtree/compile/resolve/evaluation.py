"""Evaluate one bundle: values form a graph, each is computed when it is first read."""

from collections.abc import Container, Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Undefined

from envtree.compile.filters import is_writable
from envtree.compile.resolve.compute_expression import (
    EvaluationError,
    as_environment_text,
    check_limits,
    compute,
    fold_constants,
)
from envtree.compile.resolve.env_var_splitter import EnvVarSplitter
from envtree.compile.resolve.expression_cache import ExpressionCache
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.compile.resolve.expression_grammar import COMPUTED_ROOTS, ExpressionError
from envtree.compile.resolve.literal_cache import LiteralCache
from envtree.compile.resolve.path_lookup import MISSING, collapse_hidden, descend_data, descend_merged
from envtree.compile.resolve.secret_cache import SecretCache, find_secret, secret_paths
from envtree.compile.resolve.symbol_weight import describe_symbol_excess, make_derived
from envtree.diagnostics.suggest import did_you_mean
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Diagnostic, Diagnostics, MachineError, RelatedSpan, SkippedCheck
from envtree.model.expression import Expression, NamePath, Reference
from envtree.model.keypath import format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue, merged_span
from envtree.model.resolved import ERROR_VALUE, UNKNOWN, ExternalValues, HiddenValue
from envtree.model.span import Span
from envtree.model.workspace import Fields

# How many values may be under way at once: each takes a part of Python's stack.
_MAX_DEPTH = 20
_MAX_CYCLE_SHOWN = 12
_HINT_SET_VALUE = "set it in a layer of this bundle, or read it with … | default('')"
_HINT_DECLARE_INPUT = "declare it under 'inputs' in organization.yaml: nothing else is read from outside"


class _DeferredError(Exception):
    """A value has to wait for another, which has to be computed from a fresh stack; `waiting` is who waits."""

    def __init__(self, key: NamePath, leaf: MergedScalar, dependents: list[NamePath]) -> None:
        super().__init__()
        self.key, self.leaf, self.dependents = key, leaf, dependents


class EvaluationContext(NamedTuple):
    """What all bundles of a run share."""

    compiler: ExpressionCompiler
    literal_cache: LiteralCache
    env_var_splitter: EnvVarSplitter
    expression_cache: ExpressionCache
    secret_cache: SecretCache
    roster: EntityIndex
    outside: ExternalValues
    diags: Diagnostics


class Evaluation:
    """The values of one bundle, computed on demand and once.

    `texts` has the environment variables that are final; computed ones are added as they are read.
    """

    def __init__(self, merged: MergedStack, texts: dict[str, Any], context: EvaluationContext) -> None:
        self.texts = texts
        self._merged = merged
        self._context = context
        self._values: dict[NamePath, Any] = {}
        self._in_progress: list[NamePath] = []
        self._deferred: dict[NamePath, None] = {}

    @cached_property
    def _entity_fields(self) -> dict[str, Fields | None]:
        """What expressions may read beside values, and few do: the fields of a bundle's entities, and the inputs."""
        return self._context.roster.entities_of(self._merged.stack.target).fields | {
            "inputs": self._context.outside.inputs
        }

    def compute_env_vars(self, leaves: Mapping[str, MergedScalar], excluded: Container[str]) -> None:
        """The texts of all variables that hold expressions, but for some."""
        recall, texts = self._context.expression_cache.get_result, self.texts
        for name, leaf in leaves.items():
            if name not in texts and name not in excluded:
                found = recall(source := str(leaf.node.value), texts)
                texts[name] = self._compute_and_cache(name, leaf, source) if found is None else found

    def compute_env_var(self, name: str, leaf: MergedScalar) -> Any:
        """The text of an environment variable that holds an expression."""
        found: Any = self.texts.get(name)
        if found is not None:
            return found
        source = str(leaf.node.value)
        found = self._context.expression_cache.get_result(source, self.texts)
        if found is None:
            found = self._compute_and_cache(name, leaf, source)
        self.texts[name] = found
        return found

    def _compute_and_cache(self, name: str, leaf: MergedScalar, source: str) -> Any:
        found = self._compute_text(name, leaf)
        if expression := self._context.compiler.get_compiled(source):
            self._context.expression_cache.store_result(source, expression, self.texts, found)
        return found

    def _compute_text(self, name: str, leaf: MergedScalar) -> Any:
        value = self._compute(("env_vars", name), leaf)
        if value is None or (isinstance(value, HiddenValue) and value.is_known and value.reveal() is None):
            message = f"the expression gives null, but '{name}' must be a text"
            self.report(
                "ET506", merged_span(leaf), ("env_vars", name), message, "give a default: ${{ … | default('') }}"
            )
            return ERROR_VALUE
        return as_environment_text(value)

    def value(self, node: MergedValue, key: NamePath) -> Any:
        """JSON data of a merged value, in which a Hidden may stand for any part."""
        if not node.is_dynamic:
            return self._context.literal_cache.data(node)
        if type(node) is MergedMapping:
            return {name: self.value(inner, (*key, name)) for name, inner in node.entries.items()}
        if type(node) is MergedSequence:
            return [self.value(item, (*key, n)) for n, item in enumerate(node.items)]
        assert type(node) is MergedScalar
        if key not in self._values:
            self._values[key] = self._compute(key, node)
        return self._values[key]

    def find_secret(self, path: NamePath, span: Span, key: NamePath) -> HiddenValue | None:
        """A secret by its dotted path; a missing one is reported."""
        found = find_secret(self._merged.secrets, path)
        if found is None:
            self._report_missing_secret(path, span, key)
            return None
        return self._context.secret_cache.value(found)

    def reads_secret(self, node: MergedValue) -> bool | None:
        """Whether a value, be it shadowed, reads a secret anywhere; None when that cannot be told."""
        if not node.is_dynamic:
            return False
        if not isinstance(node, MergedScalar):
            parts = {
                self.reads_secret(part)
                for part in (node.items if isinstance(node, MergedSequence) else node.entries.values())
            }
            return True if True in parts else None if None in parts else False
        try:
            expression = self._context.compiler.compile(str(node.node.value))
        except ExpressionError:
            return None
        # Nothing else can be secret, and a shadowed read of an input must not ask for its value.
        values = [self._read(read) for read in expression.references if read.path[0] in COMPUTED_ROOTS]
        if expression.reads_secret or any(type(value) is HiddenValue and value.secret for value in values):
            return True
        return None if any(value is ERROR_VALUE for value in values) else False

    def report(self, code: str, span: Span, key: NamePath, message: str, hint: str = "", *related: RelatedSpan) -> None:
        """Report a finding about a value of this bundle."""
        bundle = self._merged.stack.target.id
        self._context.diags.add(Diagnostic(span, code, message, hint, related, _format_name(key), bundle))

    def _compute(self, key: NamePath, leaf: MergedScalar) -> Any:
        """The value of a scalar with expressions; a HOLE when it has none, which has then been reported."""
        while True:
            try:
                return self._compute_bounded(key, leaf)
            except _DeferredError as later:
                if self._in_progress or self._deferred:
                    raise
                self._compute_deferred(later)

    def _compute_deferred(self, deferred: _DeferredError) -> None:
        """Compute what a value waits for, the last of a long chain first; what is computed is remembered."""
        agenda = [deferred]
        while agenda:
            now = agenda[-1]
            self._deferred.update(dict.fromkeys(now.dependents))
            try:
                if now.key[0] == "env_vars":
                    self.compute_env_var(str(now.key[1]), now.leaf)
                else:
                    self.value(now.leaf, now.key)
            except _DeferredError as deeper:
                agenda.append(deeper)
                continue
            agenda.pop()
            for key in now.dependents:
                del self._deferred[key]

    def _compute_bounded(self, key: NamePath, leaf: MergedScalar) -> Any:
        """The value of a scalar, unless too much is under way already."""
        if key in self._in_progress or key in self._deferred:
            self._report_cycle(key, leaf)
            return ERROR_VALUE
        if len(self._in_progress) >= _MAX_DEPTH:
            raise _DeferredError(key, leaf, [*self._in_progress])
        self._in_progress.append(key)
        try:
            return self._evaluate(self._context.compiler.compile(str(leaf.node.value)), key, leaf)
        except ExpressionError as wrong:
            self.report(wrong.code, span_in(leaf, wrong.offset), key, wrong.message, wrong.hint)
        except EvaluationError as fault:
            if fault.missing:
                self._report_missing(fault.missing, key, leaf)
            else:
                self.report(fault.code, span_in(leaf, fault.offset), key, fault.message)
        except RecursionError:
            if len(self._in_progress) > 1:
                raise _DeferredError(key, leaf, self._in_progress[:-1]) from None
            self.report("ET507", merged_span(leaf), key, "this value is nested too deeply")
        finally:
            self._in_progress.pop()
        return ERROR_VALUE

    def _evaluate(self, expression: Expression, key: NamePath, leaf: MergedScalar) -> Any:
        operands = []
        hidden = expression.reads_secret
        for read in expression.references:
            value = self.texts.get(read.variable) if read.variable else None
            if value is None:
                value = self._read_operand(read, key, leaf)
            hidden = hidden or type(value) is HiddenValue
            operands.append(value)
        if hidden:
            return self._evaluate_hidden(expression, operands, key, leaf)
        return compute(expression, operands, propagate_null=key[0] == "env_vars")

    def _evaluate_hidden(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        """An expression over what is hidden; whoever mentions a secret is one, whatever a condition makes of it."""
        if any(value is ERROR_VALUE for value in operands):
            return ERROR_VALUE
        # A plain name stands for what it names, however many of them follow each other.
        value = operands[0] if expression.is_plain_name else self._derive_cached(expression, operands, key, leaf)
        if isinstance(value, HiddenValue) and (why := describe_symbol_excess(value.symbol)):
            raise EvaluationError("ET507", why, 0)
        if expression.is_plain_name and value.is_known:
            check_limits(value.reveal(), expression.references[0].offset)
        return value

    def _derive_cached(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        """What an expression makes of these very operands: bundles that share them share it, too."""
        results, place = self._context.expression_cache, (str(leaf.node.value), key[0] == "env_vars")
        value = results.get_hidden_result(place, operands)
        if value is None:
            value = self._derive(expression, operands, key, leaf)
            results.store_hidden_result(place, operands, value)
        return value

    def _derive(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        hidden = [value for value in operands if isinstance(value, HiddenValue)]
        is_secret = expression.reads_secret or any(value.secret for value in hidden)
        null_spreads = key[0] == "env_vars"
        folded = fold_constants(expression, operands, propagate_null=null_spreads)
        if folded is None:
            return None
        expression, operands = folded
        symbol = make_derived(expression, operands)
        if not all(value.is_known for value in hidden):
            self._skip_undefined(expression, operands, key, leaf)
            return HiddenValue(UNKNOWN, secret=is_secret, symbol=symbol)
        plain = [value.reveal() if isinstance(value, HiddenValue) else value for value in operands]
        result = compute(expression, plain, propagate_null=null_spreads)
        return HiddenValue(result, secret=is_secret, symbol=symbol)

    def _read_operand(self, read: Reference, key: NamePath, leaf: MergedScalar) -> Any:
        if read.bare:
            self._check_bare(read, key, leaf)
        value = self._read(read)
        if value is not MISSING:
            return value
        if read.lenient or read.optional:
            return StrictUndefined(name=_format_name(read.path))
        self._report_missing(read, key, leaf)
        return ERROR_VALUE

    def _read(self, read: Reference) -> Any:
        root, rest = str(read.path[0]), read.path[1:]
        if root == "env_vars":
            return self._read_env(read)
        if root == "secrets":
            found = find_secret(self._merged.secrets, rest)
            return MISSING if found is None else self._context.secret_cache.value(found)
        if root == "inputs":
            return self._read_input(rest, read.offset)
        if root in self._entity_fields:
            return descend_data(self._entity_fields[root], rest)
        node, used = descend_merged(self._merged.sections.get(root), rest)
        return MISSING if node is None else descend_data(self.value(node, read.path[: used + 1]), rest[used:])

    def _check_bare(self, read: Reference, key: NamePath, leaf: MergedScalar) -> None:
        """A condition on a literal boolean of the environment, which is a text and so always true."""
        found, used = descend_merged(self._merged.sections.get("env_vars"), read.path[1:])
        if read.path[0] == "env_vars" and used and type(found) is MergedScalar and isinstance(found.node.value, bool):
            name = _format_name(read.path)
            message = f"'{name}' is text here, and the text '{found.node.text}' counts as true"
            related = RelatedSpan(merged_span(found), "the value")
            self.report("ET550", span_in(leaf, read.offset), key, message, f"compare: {name} == 'true'", related)

    def _read_env(self, read: Reference) -> Any:
        entries = self._merged.section_entries("env_vars")
        if len(read.path) == 1:
            return collapse_hidden(
                {name: self._read_variable(name, entries) for name in sorted({*entries, *self.texts})}
            )
        if len(read.path) > 2:
            return MISSING
        return self._read_variable(str(read.path[1]), entries)

    def _read_variable(self, name: str, entries: dict[str, MergedValue]) -> Any:
        leaf = entries.get(name)
        if name in self.texts or type(leaf) is not MergedScalar:
            return self.texts.get(name, MISSING)
        return self.compute_env_var(name, leaf) if leaf.is_dynamic else leaf.node.text

    def _read_input(self, rest: NamePath, offset: int) -> Any:
        inputs = self._context.outside.inputs
        name = str(rest[0]) if len(rest) == 1 else ""
        value = inputs.get(name, MISSING)
        if isinstance(value, HiddenValue) and self._context.outside.inputs_required:
            hint = f"set it with --input {name}=…, or give it a default in organization.yaml"
            raise MachineError("ET509", f"input '{name}' has neither a value nor a default", hint)
        if isinstance(value, str) and not is_writable(value):
            raise EvaluationError("ET505", f"the value of input '{name}' is not text in UTF-8", offset)
        return value

    def _skip_undefined(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> None:
        """Whether a branch that reads a name that does not exist is taken depends on what is unknown."""
        pairs = zip(expression.references, operands, strict=True)
        if any(isinstance(value, Undefined) and not read.lenient for read, value in pairs):
            self._context.diags.skip(
                SkippedCheck(merged_span(leaf), "ET503", _format_name(key), self._merged.stack.target.id)
            )

    def _report_missing(self, read: Reference, key: NamePath, leaf: MergedScalar) -> None:
        place = span_in(leaf, read.offset)
        if read.path[0] == "secrets":
            self._report_missing_secret(read.path[1:], place, key)
        else:
            hint = self._suggest(read, key) or (_HINT_DECLARE_INPUT if read.path[0] == "inputs" else _HINT_SET_VALUE)
            self.report("ET503", place, key, f"'{_format_name(read.path)}' does not exist in this bundle", hint)

    def _report_missing_secret(self, path: NamePath, span: Span, key: NamePath) -> None:
        hint = did_you_mean(_format_name(path), secret_paths(self._merged.secrets))
        hint = hint or "no layer of this bundle has a secrets file; 'envtree secrets set' begins one"
        self.report("ET601", span, key, f"there is no secret '{_format_name(path)}' in the layers of this bundle", hint)

    def _suggest(self, read: Reference, key: NamePath) -> str:
        """A hint with the names beside the one that is missing, but for the value that reads it."""
        parent = read.path[:-1]
        known = [str(name) for name in self._names_at(parent) if (*parent, name) != key]
        return did_you_mean(str(read.path[-1]), known, lambda name: _format_name((*parent, name)))

    def _names_at(self, path: NamePath) -> Iterable[str]:
        if path and path[0] in self._entity_fields:
            return self._entity_fields[str(path[0])] or ()
        node, used = descend_merged(self._merged.sections.get(str(path[0])), path[1:]) if path else (None, 0)
        return node.entries if type(node) is MergedMapping and used == len(path) - 1 else ()

    def _report_cycle(self, key: NamePath, leaf: MergedScalar) -> None:
        under_way = [*self._deferred, *self._in_progress, key]
        circle = [_format_name(each) for each in under_way[under_way.index(key) :]]
        if len(circle) > _MAX_CYCLE_SHOWN:
            circle[_MAX_CYCLE_SHOWN - 2 : -2] = ["…"]
        chain = " → ".join(circle)
        self.report(
            "ET504", merged_span(leaf), key, f"values depend on each other in a circle: {chain}", "break the chain"
        )


def span_in(leaf: MergedScalar, offset: int) -> Span:
    """The place in a scalar up to the end of an expression, where its text stands in the file as it is."""
    line, column, end_line, end_column = leaf.node.mark
    text = leaf.node.text
    quotes = end_column - column - len(text)
    if line != end_line or quotes not in (0, 2) or offset == 0:
        return merged_span(leaf)
    begin = column + quotes // 2 + offset
    closing = text.find("}}", offset)
    length = len(text[offset : closing if closing > offset else None].rstrip())
    return Span(leaf.layer.path, line, begin, end_line, begin + max(length, 1))


def _format_name(path: NamePath) -> str:
    return format_path(tuple(map(str, path)))
