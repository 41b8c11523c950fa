"""Cache the JSON data of merged values without expressions, for all bundles that share them."""

from typing import Any

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue


class LiteralCache:
    """The data of shared maps and lists; must be cleared after the bundles of a project."""

    def __init__(self) -> None:
        # By id; the value is stored with its data, so that its id is not reused.
        self._cache: dict[int, tuple[MergedValue, Any]] = {}

    def clear(self) -> None:
        """Clear the cache."""
        self._cache.clear()

    def data(self, node: MergedValue) -> Any:
        """Return the data of a value without expressions; the caller must not modify it."""
        if type(node) is MergedScalar:
            return node.node.value
        entry = self._cache.get(id(node))
        if entry is None:
            entry = self._cache[id(node)] = (node, self._build(node))
        return entry[1]

    def _build(self, node: MergedValue) -> Any:
        # Scalars are handled inline: most values are scalars, and a call would cost more than the work.
        if type(node) is MergedMapping:
            return {
                key: child.node.value if type(child) is MergedScalar else self.data(child)
                for key, child in node.entries.items()
            }
        assert type(node) is MergedSequence
        return [item.node.value if type(item) is MergedScalar else self.data(item) for item in node.items]
