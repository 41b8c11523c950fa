"""Results of expressions, remembered: one whose operands a layer does not touch is computed once."""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any, NamedTuple

from envtree.compile.filters import MAX_VALUE_LENGTH
from envtree.model.expression import Expression
from envtree.model.resolved import HiddenValue

_TEXT = frozenset({str})


class _CachedExpression(NamedTuple):
    """An expression, how its variables are found among all texts, and what it gave for them."""

    expression: Expression
    get_operands: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    results: dict[tuple[Any, ...], str]

    @classmethod
    def of(cls, expression: Expression) -> "_CachedExpression":
        """An expression over variables, of which nothing is known yet."""
        first, *others = expression.variables
        # Of one name it would not be a tuple, and for several it takes a third of the time.
        return cls(expression, itemgetter(first, *others) if others else lambda texts: (texts[first],), {})


class ExpressionCache:
    """What expressions gave, by their sources and operands; `clear` it when their bundles are done.

    Most are over variables, and all is text. What is hidden is known by its identity, and is never looked into.
    """

    def __init__(self) -> None:
        self._expressions: dict[str, _CachedExpression] = {}
        # The operands are kept beside what came of them, so that their ids are not given to others.
        self._hidden: dict[tuple[Any, ...], tuple[list[Any], HiddenValue]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._expressions.clear()
        self._hidden.clear()

    def get_result(self, source: str, texts: Mapping[str, Any]) -> str | None:
        """The text that the expression gave for these variables, or that it just embeds them in."""
        remembered = self._expressions.get(source)
        if remembered is None:
            return None
        expression, operands_in, known = remembered
        try:
            operands = operands_in(texts)
        except KeyError:
            return None  # one of them has to be computed before
        found = known.get(operands)
        if found is None and expression.format_string and _TEXT.issuperset(map(type, operands)):
            found = expression.format_string % operands
            if len(found) > MAX_VALUE_LENGTH:
                return None  # which is told where it is computed in full
            known[operands] = found
        return found

    def store_result(self, source: str, expression: Expression, texts: Mapping[str, Any], result: Any) -> None:
        """Remember what an expression gave, if it is of the kind that is asked for again."""
        if not expression.variables:
            return
        if source not in self._expressions:
            self._expressions[source] = _CachedExpression.of(expression)
        operands = tuple(map(texts.get, expression.variables))
        if _TEXT.issuperset(map(type, (result, *operands))):
            self._expressions[source].results[operands] = result

    def get_hidden_result(self, source_key: tuple[str, bool], operands: list[Any]) -> HiddenValue | None:
        """What the expression of a place gave for texts and for what is hidden, if it has been computed."""
        found = self._hidden.get((source_key, *map(_operand_key, operands)))
        return found[1] if found else None

    def store_hidden_result(self, source_key: tuple[str, bool], operands: list[Any], result: Any) -> None:
        """Remember what an expression gave; of what is unknown, each bundle has to be told by itself."""
        known = all(type(value) is str or (type(value) is HiddenValue and value.is_known) for value in operands)
        if known and type(result) is HiddenValue:
            self._hidden[(source_key, *map(_operand_key, operands))] = operands, result


def _operand_key(value: Any) -> Any:
    return value if type(value) is str else id(value)
