"""Which list policy holds at a path: the most exact declaration, else `replace`."""

from collections.abc import Mapping

from envtree.model.keypath import KeyPath
from envtree.model.workspace import MergeByKey

ListPolicy = str | MergeByKey

BUILT_IN_LIST_POLICIES: Mapping[KeyPath, ListPolicy] = {("integration_ids",): "union"}


class ListPolicies:
    """The declared list policies; `*` in a pattern stands for one segment."""

    def __init__(self, declared: Mapping[KeyPath, ListPolicy]) -> None:
        # Fewer stars first, so that an exact pattern is found before a general one.
        self._rules = sorted(declared.items(), key=lambda rule: rule[0].count("*"))
        self._cache: dict[KeyPath, ListPolicy] = {}
        self.any_by_key = any(isinstance(policy, MergeByKey) for policy in declared.values())

    def at(self, path: KeyPath) -> ListPolicy:
        """The policy of a list at this path inside `execution_environment`."""
        found = self._cache.get(path)
        if found is None:
            matching = (policy for rule, policy in self._rules if matches_path(rule, path))
            found = self._cache[path] = next(matching, "replace")
        return found


def matches_path(pattern: KeyPath, path: KeyPath) -> bool:
    """Whether a declaration is for a path."""
    return len(pattern) == len(path) and all(part in ("*", step) for part, step in zip(pattern, path, strict=True))
