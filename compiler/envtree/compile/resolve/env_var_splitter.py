"""Split environment variables into those that are literal text and those that have to be computed."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.model.merged import MergedMapping, MergedScalar, MergedValue
from envtree.model.nodes import MappingNode

# The layers that are not shared by agents.
_AGENT_LAYERS = ("agent", "agent-environment")


class EnvVarSplit(NamedTuple):
    """Literal texts and expressions, by name."""

    texts: dict[str, str]
    computed: dict[str, MergedScalar]


class EnvVarSplitter:
    """Splitter that updates the split of the shared layers by the changes of an agent's own layers.

    The section below an agent's own layers is shared by many bundles, so it is split once and cached. The cache must
    be cleared after the bundles of a project.
    """

    def __init__(self) -> None:
        # By id; the section is stored with its split, so that its id is not reused.
        self._cache: dict[int, tuple[MergedMapping, EnvVarSplit]] = {}

    def clear(self) -> None:
        """Clear the cache."""
        self._cache.clear()

    def split(self, section: MergedValue | None) -> EnvVarSplit:
        """Return the split of a merged `env_vars`; the caller may modify it."""
        if not isinstance(section, MergedMapping):
            return EnvVarSplit({}, {})
        changed: list[Iterable[str]] = []
        base: MergedValue | None = section
        while isinstance(base, MergedMapping) and base.rule == "merge" and isinstance(base.node, MappingNode):
            changed.append(base.node.entries)
            is_agent_layer, base = base.layer.kind in _AGENT_LAYERS, base.base
            if not is_agent_layer:
                break
        if not isinstance(base, MergedMapping) or not changed:
            return _update_split(EnvVarSplit({}, {}), section, section.entries)
        shared = self._split_shared(base)
        split = EnvVarSplit(dict(shared.texts), dict(shared.computed))
        for names in reversed(changed):
            _update_split(split, section, names)
        return split

    def _split_shared(self, section: MergedMapping) -> EnvVarSplit:
        entry = self._cache.get(id(section))
        if entry is None:
            entry = self._cache[id(section)] = (section, self.split(section))
        return entry[1]


def _update_split(split: EnvVarSplit, section: MergedMapping, changed: Iterable[str]) -> EnvVarSplit:
    """Update a split in place for the names that a layer changed, and return it."""
    texts, computed = split
    for name in changed:
        leaf = section.entries.get(name)
        computed.pop(name, None)
        if type(leaf) is MergedScalar and not leaf.is_dynamic:
            texts[name] = leaf.node.text
            continue
        texts.pop(name, None)
        if type(leaf) is MergedScalar:
            computed[name] = leaf
    return split
