"""Cache the results of expressions by their operands: bundles with the same operands share one computation."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from envtree.compile.filters import MAX_VALUE_LENGTH
from envtree.model.expression import Expression
from envtree.model.resolved import HiddenValue

_TEXT = frozenset({str})


class _CachedExpression(NamedTuple):
    """An expression over variables, a getter of its operands from all texts, and the results by operands."""

    expression: Expression
    get_operands: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    results: dict[tuple[Any, ...], str]

    @classmethod
    def of(cls, expression: Expression) -> "_CachedExpression":
        """Make the entry of an expression over variables, without results."""
        first, *others = expression.variables
        # With several names `itemgetter` takes a third of the time; with one it would not return a tuple.
        return cls(expression, itemgetter(first, *others) if others else lambda texts: (texts[first],), {})


class ExpressionCache:
    """Results of expressions by source and operands; must be cleared after the bundles of a project.

    Most expressions read variables only, and then operands and results are text. Hidden values are compared by
    identity, and never revealed.
    """

    def __init__(self) -> None:
        self._expressions: dict[str, _CachedExpression] = {}
        # The operands are stored with the result, so that their ids are not reused.
        self._hidden: dict[tuple[Any, ...], tuple[list[Any], HiddenValue]] = {}

    def clear(self) -> None:
        """Clear the cache."""
        self._expressions.clear()
        self._hidden.clear()

    def get_result(self, source: str, texts: Mapping[str, Any]) -> str | None:
        """Return the cached text for these variables, or format it if the expression only embeds them; else None."""
        cached = self._expressions.get(source)
        if cached is None:
            return None
        expression, get_operands, results = cached
        try:
            operands = get_operands(texts)
        except KeyError:
            return None  # one of the variables is not computed yet
        result = results.get(operands)
        if result is None and expression.format_string and _TEXT.issuperset(map(type, operands)):
            result = expression.format_string % operands
            if len(result) > MAX_VALUE_LENGTH:
                return None  # the full evaluation reports it
            results[operands] = result
        return result

    def store_result(self, source: str, expression: Expression, texts: Mapping[str, Any], result: Any) -> None:
        """Store the result of an expression if it reads variables only, and all of it is text."""
        if not expression.variables:
            return
        if source not in self._expressions:
            self._expressions[source] = _CachedExpression.of(expression)
        operands = tuple(map(texts.get, expression.variables))
        if _TEXT.issuperset(map(type, (result, *operands))):
            self._expressions[source].results[operands] = result

    def get_hidden_result(self, source_key: tuple[str, bool], operands: list[Any]) -> HiddenValue | None:
        """Return the cached result of an expression over texts and hidden values, or None.

        `source_key` is the source of the expression, and whether it is in env_vars.
        """
        entry = self._hidden.get((source_key, *map(_operand_key, operands)))
        return entry[1] if entry else None

    def store_hidden_result(self, source_key: tuple[str, bool], operands: list[Any], result: Any) -> None:
        """Store a hidden result if all operands are known; unknown ones make each bundle report its skipped checks."""
        all_known = all(type(value) is str or (type(value) is HiddenValue and value.is_known) for value in operands)
        if all_known and type(result) is HiddenValue:
            self._hidden[(source_key, *map(_operand_key, operands))] = operands, result


def _operand_key(value: Any) -> Any:
    return value if type(value) is str else id(value)
