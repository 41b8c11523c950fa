"""Which list policy holds at a path: the most exact declaration, else `replace`."""

from collections.abc import Mapping

from envtree.model.keypath import KeyPath
from envtree.model.workspace import ByKey

ListPolicy = str | ByKey

BUILT_IN: Mapping[KeyPath, ListPolicy] = {("integration_ids",): "union"}


class Policies:
    """The declared list policies; `*` in a pattern stands for one segment."""

    def __init__(self, declared: Mapping[KeyPath, ListPolicy]) -> None:
        # Fewer stars first, so that an exact pattern is found before a general one.
        self._rules = sorted(declared.items(), key=lambda rule: rule[0].count("*"))
        self._known: dict[KeyPath, ListPolicy] = {}
        self.any_by_key = any(isinstance(policy, ByKey) for policy in declared.values())

    def at(self, path: KeyPath) -> ListPolicy:
        """The policy of a list at this path inside `execution_environment`."""
        found = self._known.get(path)
        if found is None:
            matching = (policy for rule, policy in self._rules if matches(rule, path))
            found = self._known[path] = next(matching, "replace")
        return found


def matches(rule: KeyPath, path: KeyPath) -> bool:
    """Whether a declaration is for a path."""
    return len(rule) == len(path) and all(part in ("*", step) for part, step in zip(rule, path, strict=True))
