"""Find the list policy of a path: the most specific declaration, else `replace`."""

from collections.abc import Mapping

from envtree.model.keypath import KeyPath
from envtree.model.workspace import MergeByKey

ListPolicy = str | MergeByKey

BUILT_IN_LIST_POLICIES: Mapping[KeyPath, ListPolicy] = {("integration_ids",): "union"}


class ListPolicies:
    """The declared list policies; `*` in a pattern matches one segment."""

    def __init__(self, declared: Mapping[KeyPath, ListPolicy]) -> None:
        # Fewer stars first, so that a specific pattern is found before a general one.
        self._rules = sorted(declared.items(), key=lambda rule: rule[0].count("*"))
        self._cache: dict[KeyPath, ListPolicy] = {}
        self.any_by_key = any(isinstance(policy, MergeByKey) for policy in declared.values())

    def at(self, path: KeyPath) -> ListPolicy:
        """Return the policy of a list at this path inside `execution_environment`."""
        policy = self._cache.get(path)
        if policy is None:
            matching = (candidate for rule, candidate in self._rules if matches_path(rule, path))
            policy = self._cache[path] = next(matching, "replace")
        return policy


def matches_path(pattern: KeyPath, path: KeyPath) -> bool:
    """Report whether the pattern of a declaration matches a path."""
    return len(pattern) == len(path) and all(part in ("*", step) for part, step in zip(pattern, path, strict=True))
