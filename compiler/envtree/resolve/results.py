"""Results of expressions, remembered: one whose operands a layer does not touch is computed once."""

from collections.abc import Mapping
from typing import Any

from envtree.expression import Expression
from envtree.functions import LIMIT
from envtree.resolved import Hidden

_TEXT = frozenset({str})


class Results:
    """What expressions gave, by their sources and operands; `clear` it when their bundles are done.

    Most are over variables, and all is text. What is hidden is known by its identity, and is never looked into.
    """

    def __init__(self) -> None:
        self._expressions: dict[str, Expression] = {}
        self._known: dict[tuple[Any, ...], str] = {}
        # The operands are kept beside what came of them, so that their ids are not given to others.
        self._hidden: dict[tuple[Any, ...], tuple[list[Any], Hidden]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._expressions.clear()
        self._known.clear()
        self._hidden.clear()

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

    def recall_hidden(self, place: tuple[str, bool], operands: list[Any]) -> Hidden | None:
        """What the expression of a place gave for texts and for what is hidden, if it has been computed."""
        found = self._hidden.get((place, *map(_identity, operands)))
        return found[1] if found else None

    def keep_hidden(self, place: tuple[str, bool], operands: list[Any], result: Any) -> None:
        """Remember what an expression gave; of what is unknown, each bundle has to be told by itself."""
        known = all(type(value) is str or (type(value) is Hidden and value.known) for value in operands)
        if known and type(result) is Hidden:
            self._hidden[(place, *map(_identity, operands))] = operands, result


def _identity(value: Any) -> Any:
    return value if type(value) is str else id(value)
