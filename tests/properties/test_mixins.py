"""Random trees in which entities share mix-ins with overlays: envtree agrees with the naive model."""

import random
from typing import Any

import pytest

from envtree.model.diagnostic import Severity
from tests.properties.layering import Tree
from tests.properties.merging import Conflict
from tests.properties.model import compile_model
from tests.support.trees import CheckResult, check, quote_yaml

ID = "p/t/a@production"
MIXINS = ("m0", "m1", "m2")
ENVIRONMENTS = ("base", "production")


class TreeWriter:
    """Writer of a tree in which each layer sets a few of the same variables to its own name."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.tree: Tree = {
            "organization.yaml": {
                "name": "acme",
                "edition": 2026,
                "default_model": "m",
                **self._values("organization"),
            },
            "environments/base.yaml": {"abstract": True, **self._values("base")},
            "environments/production.yaml": {"inherits": "base", **self._values("production")},
        }
        for index, name in enumerate(MIXINS):
            self._add(f"mixins/{name}", name, MIXINS[:index], in_file=True)
        self._add("projects/p/project", "p", MIXINS, key="PP")
        self._add("projects/p/teams/t/team", "t", MIXINS)
        self._add("projects/p/teams/t/agents/a", "a", MIXINS, in_file=True)
        for folder, owner in (("projects/p/", "p"), ("projects/p/teams/t/", "t")):
            for name in self._some(ENVIRONMENTS):
                self.tree[f"{folder}environments/{name}.yaml"] = self._values(f"{owner}-{name}")

    def _add(self, stem: str, name: str, usable: tuple[str, ...], *, in_file: bool = False, **fields: Any) -> None:
        overlays = {other: self._values(f"{name}-{other}") for other in self._some(ENVIRONMENTS)} if in_file else {}
        # In this order no two lists conflict.
        uses = self._some(usable)[::-1]
        if self._random.random() < 0.2:
            self._random.shuffle(uses)
        self.tree[f"{stem}.yaml"] = {
            **fields,
            **({"uses": uses} if uses else {}),
            **({"environments": overlays} if overlays else {}),
            **self._values(name),
        }

    def _some(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if self._random.random() < 0.6]

    def _values(self, name: str) -> dict[str, Any]:
        return {"execution_environment": {"env_vars": dict.fromkeys(self._some(tuple("ABCDEFGH")), name)}}


def compile_files(tree: Tree) -> CheckResult:
    """Compile a tree."""
    return check({path: quote_yaml(data) for path, data in tree.items()})


@pytest.mark.parametrize("first", range(0, 500, 50))
def test_the_layers_of_mixins_are_those_of_the_model(first: int) -> None:
    conflicts = 0
    for seed in range(first, first + 50):
        tree = TreeWriter(seed).tree
        result = compile_files(tree)
        errors = {finding.diagnostic.code for finding in result.outcome.findings if finding.severity is Severity.ERROR}
        try:
            expected = compile_model(tree, {})[ID]["env_vars"]
        except Conflict:
            conflicts += 1
            assert errors == {"ET303"}, seed
            continue
        assert errors == set(), seed
        assert result.data(ID)["env_vars"] == expected, seed
    assert conflicts < 25
