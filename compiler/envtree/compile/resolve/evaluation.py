"""Evaluate one bundle: its values form a graph, and each is computed when it is first read."""

from collections.abc import Container, Mapping
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
from envtree.compile.resolve.missing_name import missing_field_hint, missing_value_hint
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

# How many values may be in progress at once: each takes a part of Python's stack.
_MAX_DEPTH = 20
_MAX_CYCLE_SHOWN = 12
_HINT_SET_VALUE = "set it in a layer of this bundle, or read it with … | default('')"
_HINT_DECLARE_INPUT = "declare it under 'inputs' in organization.yaml: nothing else is read from outside"


class _DeferredError(Exception):
    """A value must be computed on a fresh call stack before the values in `dependents`, which wait for it."""

    def __init__(self, key: NamePath, leaf: MergedScalar, dependents: list[NamePath]) -> None:
        super().__init__()
        self.key, self.leaf, self.dependents = key, leaf, dependents


class EvaluationContext(NamedTuple):
    """The caches, external values and sink that all bundles of a run share."""

    compiler: ExpressionCompiler
    literal_cache: LiteralCache
    env_var_splitter: EnvVarSplitter
    expression_cache: ExpressionCache
    secret_cache: SecretCache
    entity_index: EntityIndex
    external: ExternalValues
    diags: Diagnostics


class Evaluation:
    """The values of one bundle, each computed once, on demand.

    `texts` has the final environment variables; computed ones are added as they are read.
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
        """The fields of the bundle's entities, and the inputs; made on demand, since few expressions read them."""
        return self._context.entity_index.entities_of(self._merged.stack.target).fields | {
            "inputs": self._context.external.inputs
        }

    def compute_env_vars(self, leaves: Mapping[str, MergedScalar], excluded: Container[str]) -> None:
        """Compute the texts of all variables with expressions, except the excluded ones."""
        get_cached, texts = self._context.expression_cache.get_result, self.texts
        for name, leaf in leaves.items():
            if name not in texts and name not in excluded:
                cached = get_cached(source := str(leaf.node.value), texts)
                texts[name] = self._compute_and_cache(name, leaf, source) if cached is None else cached

    def compute_env_var(self, name: str, leaf: MergedScalar) -> Any:
        """Return the text of an environment variable with an expression."""
        text: Any = self.texts.get(name)
        if text is not None:
            return text
        source = str(leaf.node.value)
        text = self._context.expression_cache.get_result(source, self.texts)
        if text is None:
            text = self._compute_and_cache(name, leaf, source)
        self.texts[name] = text
        return text

    def _compute_and_cache(self, name: str, leaf: MergedScalar, source: str) -> Any:
        text = self._compute_text(name, leaf)
        if expression := self._context.compiler.get_compiled(source):
            self._context.expression_cache.store_result(source, expression, self.texts, text)
        return text

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
        """Return the JSON data of a merged value, of which any part may be a HiddenValue."""
        if not node.is_dynamic:
            return self._context.literal_cache.data(node)
        if type(node) is MergedMapping:
            return {name: self.value(child, (*key, name)) for name, child in node.entries.items()}
        if type(node) is MergedSequence:
            return [self.value(item, (*key, index)) for index, item in enumerate(node.items)]
        assert type(node) is MergedScalar
        if key not in self._values:
            self._values[key] = self._compute(key, node)
        return self._values[key]

    def find_secret(self, path: NamePath, span: Span, key: NamePath) -> HiddenValue | None:
        """Return the value of a secret by its path; a missing one is reported, and gives None."""
        secret = find_secret(self._merged.secrets, path)
        if secret is None:
            self._report_missing_secret(path, span, key)
            return None
        return self._context.secret_cache.value(secret)

    def reads_secret(self, node: MergedValue) -> bool | None:
        """Report whether a value, even a shadowed one, reads a secret anywhere; None if that cannot be determined."""
        if not node.is_dynamic:
            return False
        if not isinstance(node, MergedScalar):
            answers = {
                self.reads_secret(part)
                for part in (node.items if isinstance(node, MergedSequence) else node.entries.values())
            }
            return True if True in answers else None if None in answers else False
        try:
            expression = self._context.compiler.compile(str(node.node.value))
        except ExpressionError:
            return None
        # Nothing else can be secret, and a shadowed read of an input must not ask for its value.
        values = [self._read(reference) for reference in expression.references if reference.path[0] in COMPUTED_ROOTS]
        if expression.reads_secret or any(type(value) is HiddenValue and value.secret for value in values):
            return True
        return None if any(value is ERROR_VALUE for value in values) else False

    def report(self, code: str, span: Span, key: NamePath, message: str, hint: str = "", *related: RelatedSpan) -> None:
        """Add a finding about a value of this bundle."""
        bundle = self._merged.stack.target.id
        self._context.diags.add(Diagnostic(span, code, message, hint, related, _format_name(key), bundle))

    def _compute(self, key: NamePath, leaf: MergedScalar) -> Any:
        """Return the value of a scalar with expressions; ERROR_VALUE if it has none, after reporting why."""
        while True:
            try:
                return self._compute_bounded(key, leaf)
            except _DeferredError as deferred:
                if self._in_progress or self._deferred:
                    raise
                self._compute_deferred(deferred)

    def _compute_deferred(self, deferred: _DeferredError) -> None:
        """Compute the values that others wait for, the end of a long chain first; the results are stored."""
        agenda = [deferred]
        while agenda:
            current = agenda[-1]
            self._deferred.update(dict.fromkeys(current.dependents))
            try:
                if current.key[0] == "env_vars":
                    self.compute_env_var(str(current.key[1]), current.leaf)
                else:
                    self.value(current.leaf, current.key)
            except _DeferredError as nested:
                agenda.append(nested)
                continue
            agenda.pop()
            for key in current.dependents:
                del self._deferred[key]

    def _compute_bounded(self, key: NamePath, leaf: MergedScalar) -> Any:
        """Return the value of a scalar; raise _DeferredError if too many values are in progress."""
        if key in self._in_progress or key in self._deferred:
            self._report_cycle(key, leaf)
            return ERROR_VALUE
        if len(self._in_progress) >= _MAX_DEPTH:
            raise _DeferredError(key, leaf, [*self._in_progress])
        self._in_progress.append(key)
        try:
            return self._evaluate(self._context.compiler.compile(str(leaf.node.value)), key, leaf)
        except ExpressionError as error:
            self.report(error.code, span_in(leaf, error.offset), key, error.message, error.hint)
        except EvaluationError as error:
            if error.missing:
                self._report_missing(error.missing, key, leaf)
            else:
                self.report(error.code, span_in(leaf, error.offset), key, error.message)
        except RecursionError:
            if len(self._in_progress) > 1:
                raise _DeferredError(key, leaf, self._in_progress[:-1]) from None
            self.report("ET507", merged_span(leaf), key, "this value is nested too deeply")
        finally:
            self._in_progress.pop()
        return ERROR_VALUE

    def _evaluate(self, expression: Expression, key: NamePath, leaf: MergedScalar) -> Any:
        operands = []
        is_hidden = expression.reads_secret
        for reference in expression.references:
            value = self.texts.get(reference.variable) if reference.variable else None
            if value is None:
                value = self._read_operand(reference, key, leaf)
            is_hidden = is_hidden or type(value) is HiddenValue
            operands.append(value)
        if is_hidden:
            return self._evaluate_hidden(expression, operands, key, leaf)
        return compute(expression, operands, propagate_null=key[0] == "env_vars")

    def _evaluate_hidden(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        """Evaluate an expression over hidden values: secret if it mentions a secret, whichever branch is taken."""
        if any(value is ERROR_VALUE for value in operands):
            return ERROR_VALUE
        # A plain name is an alias: a chain of them adds no weight.
        value = operands[0] if expression.is_plain_name else self._derive_cached(expression, operands, key, leaf)
        if isinstance(value, HiddenValue) and (excess := describe_symbol_excess(value.symbol)):
            raise EvaluationError("ET507", excess, 0)
        if expression.is_plain_name and value.is_known:
            check_limits(value.reveal(), expression.references[0].offset)
        return value

    def _derive_cached(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        """Return the value of an expression over these operands; bundles that share the operands share the value."""
        cache, source_key = self._context.expression_cache, (str(leaf.node.value), key[0] == "env_vars")
        value = cache.get_hidden_result(source_key, operands)
        if value is None:
            value = self._derive(expression, operands, key, leaf)
            cache.store_hidden_result(source_key, operands, value)
        return value

    def _derive(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> Any:
        hidden = [value for value in operands if isinstance(value, HiddenValue)]
        is_secret = expression.reads_secret or any(value.secret for value in hidden)
        propagate_null = key[0] == "env_vars"
        folded = fold_constants(expression, operands, propagate_null=propagate_null)
        if folded is None:
            return None
        expression, operands = folded
        symbol = make_derived(expression, operands)
        if not all(value.is_known for value in hidden):
            self._skip_undefined(expression, operands, key, leaf)
            return HiddenValue(UNKNOWN, secret=is_secret, symbol=symbol)
        plain = [value.reveal() if isinstance(value, HiddenValue) else value for value in operands]
        result = compute(expression, plain, propagate_null=propagate_null)
        return HiddenValue(result, secret=is_secret, symbol=symbol)

    def _read_operand(self, reference: Reference, key: NamePath, leaf: MergedScalar) -> Any:
        if reference.bare:
            self._check_bare(reference, key, leaf)
        if reference.typed_comparison:
            message = f"'{_format_name(reference.path)}' is text here, and never equals a value of another type"
            self.report("ET550", span_in(leaf, reference.offset), key, message, reference.typed_comparison)
        value = self._read(reference)
        if value is not MISSING:
            return value
        if reference.lenient or reference.optional:
            return StrictUndefined(name=_format_name(reference.path))
        self._report_missing(reference, key, leaf)
        return ERROR_VALUE

    def _read(self, reference: Reference) -> Any:
        root, subpath = str(reference.path[0]), reference.path[1:]
        if root == "env_vars":
            return self._read_env(reference)
        if root == "secrets":
            secret = find_secret(self._merged.secrets, subpath)
            return MISSING if secret is None else self._context.secret_cache.value(secret)
        if root == "inputs":
            return self._read_input(subpath, reference.offset)
        if root in self._entity_fields:
            return descend_data(self._entity_fields[root], subpath)
        node, used = descend_merged(self._merged.sections.get(root), subpath)
        return MISSING if node is None else descend_data(self.value(node, reference.path[: used + 1]), subpath[used:])

    def _check_bare(self, reference: Reference, key: NamePath, leaf: MergedScalar) -> None:
        """Report a condition on a literal boolean in env_vars, which is a text there and so always true."""
        variable, used = descend_merged(self._merged.sections.get("env_vars"), reference.path[1:])
        if (
            reference.path[0] == "env_vars"
            and used
            and type(variable) is MergedScalar
            and isinstance(variable.node.value, bool)
        ):
            name = _format_name(reference.path)
            message = f"'{name}' is text here, and the text '{variable.node.text}' counts as true"
            related = RelatedSpan(merged_span(variable), "the value")
            self.report("ET550", span_in(leaf, reference.offset), key, message, f"compare: {name} == 'true'", related)

    def _read_env(self, reference: Reference) -> Any:
        entries = self._merged.section_entries("env_vars")
        if len(reference.path) == 1:
            return collapse_hidden(
                {name: self._read_variable(name, entries) for name in sorted({*entries, *self.texts})}
            )
        if len(reference.path) > 2:
            return MISSING
        return self._read_variable(str(reference.path[1]), entries)

    def _read_variable(self, name: str, entries: dict[str, MergedValue]) -> Any:
        leaf = entries.get(name)
        if name in self.texts or type(leaf) is not MergedScalar:
            return self.texts.get(name, MISSING)
        return self.compute_env_var(name, leaf) if leaf.is_dynamic else leaf.node.text

    def _read_input(self, subpath: NamePath, offset: int) -> Any:
        inputs = self._context.external.inputs
        name = str(subpath[0]) if len(subpath) == 1 else ""
        value = inputs.get(name, MISSING)
        if isinstance(value, HiddenValue) and self._context.external.inputs_required:
            hint = f"set it with --input {name}=…, or give it a default in organization.yaml"
            raise MachineError("ET509", f"input '{name}' has neither a value nor a default", hint)
        if isinstance(value, str) and not is_writable(value):
            raise EvaluationError("ET505", f"the value of input '{name}' is not text in UTF-8", offset)
        return value

    def _skip_undefined(self, expression: Expression, operands: list[Any], key: NamePath, leaf: MergedScalar) -> None:
        """Record a skipped check if a branch reads a missing name, and unknown values decide whether it is taken."""
        pairs = zip(expression.references, operands, strict=True)
        if any(isinstance(value, Undefined) and not reference.lenient for reference, value in pairs):
            self._context.diags.skip(
                SkippedCheck(merged_span(leaf), "ET503", _format_name(key), self._merged.stack.target.id)
            )

    def _report_missing(self, reference: Reference, key: NamePath, leaf: MergedScalar) -> None:
        span = span_in(leaf, reference.offset)
        if reference.path[0] == "secrets":
            self._report_missing_secret(reference.path[1:], span, key)
        else:
            hint = self._suggest(reference, key) or (
                _HINT_DECLARE_INPUT if reference.path[0] == "inputs" else _HINT_SET_VALUE
            )
            self.report("ET503", span, key, f"'{_format_name(reference.path)}' does not exist in this bundle", hint)

    def _report_missing_secret(self, path: NamePath, span: Span, key: NamePath) -> None:
        hint = did_you_mean(_format_name(path), secret_paths(self._merged.secrets))
        hint = hint or "no layer of this bundle has a secrets file; 'envtree secrets set' begins one"
        self.report("ET601", span, key, f"there is no secret '{_format_name(path)}' in the layers of this bundle", hint)

    def _suggest(self, reference: Reference, key: NamePath) -> str:
        root = str(reference.path[0])
        if root == "env_vars":
            names = {*self._merged.section_entries("env_vars"), *self.texts}
            return missing_field_hint(reference.path, names - {str(key[1])} if key[0] == "env_vars" else names)
        if root in self._entity_fields:
            return missing_field_hint(reference.path, self._entity_fields[root])
        return missing_value_hint(reference.path, key, self._merged.sections)

    def _report_cycle(self, key: NamePath, leaf: MergedScalar) -> None:
        in_progress = [*self._deferred, *self._in_progress, key]
        cycle = [_format_name(path) for path in in_progress[in_progress.index(key) :]]
        if len(cycle) > _MAX_CYCLE_SHOWN:
            cycle[_MAX_CYCLE_SHOWN - 2 : -2] = ["…"]
        chain = " → ".join(cycle)
        self.report(
            "ET504", merged_span(leaf), key, f"values depend on each other in a circle: {chain}", "break the chain"
        )


def span_in(leaf: MergedScalar, offset: int) -> Span:
    """Return the place of an expression in a scalar, or of the whole scalar if its text is not verbatim in the file."""
    line, column, end_line, end_column = leaf.node.mark
    text = leaf.node.text
    quotes = end_column - column - len(text)
    if line != end_line or quotes not in (0, 2) or offset == 0:
        return merged_span(leaf)
    start = column + quotes // 2 + offset
    end = text.find("}}", offset)
    length = len(text[offset : end if end > offset else None].rstrip())
    return Span(leaf.layer.path, line, start, end_line, start + max(length, 1))


def _format_name(path: NamePath) -> str:
    return format_path(tuple(map(str, path)))
