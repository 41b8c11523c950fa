"""Results of expressions, remembered: one whose operands a layer does not touch is computed once."""

from collections.abc import Mapping
from typing import Any

from envtree.expression import Expression
from envtree.functions import LIMIT

_TEXT = frozenset({str})


class Results:
    """The texts that expressions over variables gave, by their operands; `clear` it when their bundles are done.

    Operands and results are texts, so nothing secret or unknown is ever in here. An expression is known by its source.
    """

    def __init__(self) -> None:
        self._expressions: dict[str, Expression] = {}
        self._known: dict[tuple[Any, ...], str] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._expressions.clear()
        self._known.clear()

    def recall(self, source: str, texts: Mapping[str, Any]) -> str | None:
        """The text that the expression gave for these variables, or that it just embeds them in."""
        expression = self._expressions.get(source)
        if expression is None:
            return None
        key = (source, *map(texts.get, expression.variables))
        found = self._known.get(key)
        if found is None and expression.pattern and _TEXT.issuperset(map(type, key)):
            found = expression.pattern % key[1:]
            if len(found) > LIMIT:
                return None  # which is told where it is computed in full
            self._known[key] = found
        return found

    def keep(self, source: str, expression: Expression, texts: Mapping[str, Any], result: Any) -> None:
        """Remember what an expression gave, if it is of the kind that is asked for again."""
        if not expression.variables:
            return
        self._expressions[source] = expression
        key = (source, *map(texts.get, expression.variables))
        if _TEXT.issuperset(map(type, (result, *key))):
            self._known[key] = result
