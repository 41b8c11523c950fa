"""The environment variables of a section: those that are text as written, and those that have to be computed."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.model.merged import Branch, Leaf, Merged
from envtree.model.nodes import Mapping

# Nobody but one agent has these.
_OWN = ("agent", "agent-environment")


class Split(NamedTuple):
    """Texts and expressions by name."""

    texts: dict[str, str]
    computed: dict[str, Leaf]


class Variables:
    """Splits a section by what its last layers changed of the one below; `clear` it when its bundles are done.

    What lies below an agent's own layers is shared by many bundles, so it is split once.
    """

    def __init__(self) -> None:
        # The section is kept beside its split, so that its id is not given to another.
        self._known: dict[int, tuple[Branch, Split]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def split(self, section: Merged | None) -> Split:
        """The variables of a merged `env_vars`, for the caller to change."""
        if not isinstance(section, Branch):
            return Split({}, {})
        changed: list[Iterable[str]] = []
        base: Merged | None = section
        while isinstance(base, Branch) and base.rule == "merge" and isinstance(base.node, Mapping):
            changed.append(base.node.entries)
            is_own, base = base.layer.kind in _OWN, base.below
            if not is_own:
                break
        if not isinstance(base, Branch) or not changed:
            return _update(Split({}, {}), section, section.entries)
        shared = self._shared(base)
        split = Split(dict(shared.texts), dict(shared.computed))
        for names in reversed(changed):
            _update(split, section, names)
        return split

    def _shared(self, section: Branch) -> Split:
        found = self._known.get(id(section))
        if found is None:
            found = self._known[id(section)] = (section, self.split(section))
        return found[1]


def _update(split: Split, section: Branch, changed: Iterable[str]) -> Split:
    """Bring a split of one's own up to date with the names that a layer changed."""
    texts, computed = split
    for name in changed:
        leaf = section.entries.get(name)
        computed.pop(name, None)
        if type(leaf) is Leaf and not leaf.dynamic:
            texts[name] = leaf.node.text
            continue
        texts.pop(name, None)
        if type(leaf) is Leaf:
            computed[name] = leaf
    return split
