"""JSON data of merged values without expressions, made once for all bundles that share them."""

from typing import Any

from envtree.model.merged import Branch, Leaf, Listing, Merged


class Literals:
    """Remembers the data of shared maps and lists; `clear` it when their bundles are done."""

    def __init__(self) -> None:
        # The value is kept beside its data, so that its id is not given to another.
        self._known: dict[int, tuple[Merged, Any]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def data(self, node: Merged) -> Any:
        """The data of a value that holds no expression; not to be changed by anyone."""
        if type(node) is Leaf:
            return node.node.value
        found = self._known.get(id(node))
        if found is None:
            found = self._known[id(node)] = (node, self._make(node))
        return found[1]

    def _make(self, node: Merged) -> Any:
        # Scalars are told apart here: they are most of what there is, and a call would take longer than they do.
        if type(node) is Branch:
            return {
                key: child.node.value if type(child) is Leaf else self.data(child)
                for key, child in node.entries.items()
            }
        assert type(node) is Listing
        return [item.node.value if type(item) is Leaf else self.data(item) for item in node.items]
