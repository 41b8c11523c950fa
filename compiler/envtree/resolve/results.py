"""Results of expressions, remembered: one whose operands a layer does not touch is computed once."""

from collections.abc import Mapping
from typing import Any

from envtree.expression import Expression
from envtree.functions import LIMIT


class Results:
    """The texts that expressions over variables gave, by their operands; `clear` it when their bundles are done.

    Operands and results are texts, so nothing secret or unknown is ever in here. An expression is known by its
    identity: the compiler keeps it.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], str] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def recall(self, expression: Expression, texts: Mapping[str, Any]) -> str | None:
        """The text that the expression gave for these variables, or that it just embeds them in."""
        if not expression.variables:
            return None
        key = (id(expression), *map(texts.get, expression.variables))
        found = self._known.get(key)
        if found is None and expression.pattern:
            operands = key[1:]
            if all(type(text) is str for text in operands):
                found = expression.pattern % operands
                if len(found) > LIMIT:
                    return None  # which is told where it is computed in full
                self._known[key] = found
        return found

    def keep(self, expression: Expression, texts: Mapping[str, Any], result: Any) -> None:
        """Remember what an expression gave, if it is of the kind that is asked for again."""
        operands = [texts.get(name) for name in expression.variables]
        if expression.variables and all(type(text) is str for text in (result, *operands)):
            self._known[(id(expression), *operands)] = result
