"""The environment variables of a section: those that are text as written, and those that have to be computed."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.node import Mapping
from envtree.value import Branch, Leaf, Merged


class Split(NamedTuple):
    """Texts and expressions by name; not to be changed by anyone."""

    texts: dict[str, str]
    computed: dict[str, Leaf]


class Variables:
    """Splits a section by what its last layer changed of the one below; `clear` it when its bundles are done.

    The sections below are shared by many bundles, so they are split once.
    """

    def __init__(self) -> None:
        # The section is kept beside its split, so that its id is not given to another.
        self._known: dict[int, tuple[Branch, Split]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def split(self, section: Merged | None) -> Split:
        """The variables of a merged `env_vars`."""
        if not isinstance(section, Branch):
            return Split({}, {})
        below, node = section.below, section.node
        if section.rule != "merge" or not isinstance(below, Branch) or not isinstance(node, Mapping):
            return _update(Split({}, {}), section, section.entries)
        shared = self._shared(below)
        return _update(Split(dict(shared.texts), dict(shared.computed)), section, node.entries)

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
        texts.pop(name, None)
        computed.pop(name, None)
        if type(leaf) is Leaf and leaf.dynamic:
            computed[name] = leaf
        elif type(leaf) is Leaf:
            texts[name] = leaf.node.text
    return split
