"""The environment variables of a section: those that are text as written, and those that have to be computed."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.model.merged import MergedMapping, MergedScalar, MergedValue
from envtree.model.nodes import MappingNode

# Nobody but one agent has these.
_AGENT_LAYERS = ("agent", "agent-environment")


class EnvVarSplit(NamedTuple):
    """Texts and expressions by name."""

    texts: dict[str, str]
    computed: dict[str, MergedScalar]


class EnvVarSplitter:
    """Splits a section by what its last layers changed of the one below; `clear` it when its bundles are done.

    What lies below an agent's own layers is shared by many bundles, so it is split once.
    """

    def __init__(self) -> None:
        # The section is kept beside its split, so that its id is not given to another.
        self._cache: dict[int, tuple[MergedMapping, EnvVarSplit]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._cache.clear()

    def split(self, section: MergedValue | None) -> EnvVarSplit:
        """The variables of a merged `env_vars`, for the caller to change."""
        if not isinstance(section, MergedMapping):
            return EnvVarSplit({}, {})
        changed: list[Iterable[str]] = []
        base: MergedValue | None = section
        while isinstance(base, MergedMapping) and base.rule == "merge" and isinstance(base.node, MappingNode):
            changed.append(base.node.entries)
            is_own, base = base.layer.kind in _AGENT_LAYERS, base.base
            if not is_own:
                break
        if not isinstance(base, MergedMapping) or not changed:
            return _update_split(EnvVarSplit({}, {}), section, section.entries)
        shared = self._split_shared(base)
        split = EnvVarSplit(dict(shared.texts), dict(shared.computed))
        for names in reversed(changed):
            _update_split(split, section, names)
        return split

    def _split_shared(self, section: MergedMapping) -> EnvVarSplit:
        found = self._cache.get(id(section))
        if found is None:
            found = self._cache[id(section)] = (section, self.split(section))
        return found[1]


def _update_split(split: EnvVarSplit, section: MergedMapping, changed: Iterable[str]) -> EnvVarSplit:
    """Bring a split of one's own up to date with the names that a layer changed."""
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
