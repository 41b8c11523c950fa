"""JSON data of merged values without expressions, made once for all bundles that share them."""

from typing import Any

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue


class LiteralCache:
    """Remembers the data of shared maps and lists; `clear` it when their bundles are done."""

    def __init__(self) -> None:
        # The value is kept beside its data, so that its id is not given to another.
        self._cache: dict[int, tuple[MergedValue, Any]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._cache.clear()

    def data(self, node: MergedValue) -> Any:
        """The data of a value that holds no expression; not to be changed by anyone."""
        if type(node) is MergedScalar:
            return node.node.value
        found = self._cache.get(id(node))
        if found is None:
            found = self._cache[id(node)] = (node, self._build(node))
        return found[1]

    def _build(self, node: MergedValue) -> Any:
        # Scalars are told apart here: they are most of what there is, and a call would take longer than they do.
        if type(node) is MergedMapping:
            return {
                key: child.node.value if type(child) is MergedScalar else self.data(child)
                for key, child in node.entries.items()
            }
        assert type(node) is MergedSequence
        return [item.node.value if type(item) is MergedScalar else self.data(item) for item in node.items]
