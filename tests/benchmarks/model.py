"""The logical organization of the benchmark: the values of every layer, and the expected bundles."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any, NamedTuple
from zlib import crc32

Layer = dict[str, Any]

ENVIRONMENTS = ("development", "staging", "production", "recovery")
REGIONS = ("eu-west-1", "us-east-1", "us-west-2", "ap-south-1", "eu-north-1")
ABOVE = {
    "project": "org",
    "base": "project",
    "env": "base",
    "project_env": "base",
    "team": "project_env",
    "team_env": "team",
    "agent": "team_env",
    "agent_env": "agent",
}
URL = "https://{}.{}.example.com/v1?n={}"
SMALL = ("env", "agent_env")
SAMPLE = 50

# The variables of a team that are a secret; SECRET_EXPRESSIONS are those that contain one.
SECRET_VARIABLES = {
    "TEAM_DATABASE_PASSWORD": "database.password",
    "TEAM_REPLICA_PASSWORD": "database.replica",
    "TEAM_API_TOKEN": "tokens.api",
    "TEAM_METRICS_TOKEN": "tokens.metrics",
}


class Size(NamedTuple):
    """The number of projects, environments, teams per project, and agents per team."""

    projects: int
    environments: int
    teams: int
    agents: int

    @property
    def bundles(self) -> int:
        """The number of (agent, environment) pairs."""
        return self.projects * self.environments * self.teams * self.agents


SIZES = {
    "XS": Size(2, 2, 1, 2),
    "S": Size(10, 3, 2, 5),
    "M": Size(100, 4, 5, 5),
    "L": Size(500, 4, 5, 10),
}


class Expression(NamedTuple):
    """A text with references to other values of the bundle, by dotted path, in each tool's notation."""

    pattern: str
    paths: tuple[str, ...]

    def text(self, reference: Callable[[str], Any]) -> str:
        """Return the text with every path replaced by `reference`."""
        return self.pattern.format(*map(reference, self.paths))


SECRET_EXPRESSIONS = {
    "TEAM_DATABASE_URL": Expression("postgres://app:{}@{}", ("secrets.database.password", "env_vars.TEAM_NAME")),
    "TEAM_SIGNATURE": Expression("v1,{}", ("secrets.signing_key",)),
}


class Bundle(NamedTuple):
    """One agent in one environment."""

    project: str
    team: str
    agent: str
    environment: str

    def stack(self) -> tuple[Layer, ...]:
        """Return the layers, lowest first."""
        project, team, agent, environment = self
        return (
            layer("org", "acme"),
            layer("project", project),
            layer("base", "base"),
            layer("env", environment),
            layer("project_env", project, environment),
            layer("team", project, team),
            layer("team_env", project, team, environment),
            layer("agent", project, team, agent),
            layer("agent_env", *self),
        )

    def expected(self) -> Layer:
        """Return the expected bundle: a merge of plain dicts, then plain text substitution."""
        return _resolved(_merged(self.stack()))

    def expected_with_secrets(self) -> Layer:
        """Return the expected bundle of the tree in which every team has secrets."""
        team_secrets = secrets(self.project, self.team)
        variables = {name: _at(team_secrets, path) for name, path in SECRET_VARIABLES.items()}
        merged = _merged((*self.stack(), {"env_vars": SECRET_EXPRESSIONS | variables}))
        resolved = _resolved(merged | {"secrets": team_secrets})
        return {section: resolved[section] for section in merged}


def names(prefix: str, count: int) -> list[str]:
    """Return path names such as p000, p001, …"""
    return [f"{prefix}{index:03}" for index in range(count)]


def bundles(size: Size) -> Iterator[Bundle]:
    """Yield every bundle of the organization, in a fixed order."""
    return itertools.starmap(
        Bundle,
        itertools.product(
            names("p", size.projects),
            names("t", size.teams),
            names("a", size.agents),
            ENVIRONMENTS[: size.environments],
        ),
    )


def sample(size: Size) -> Iterator[Bundle]:
    """Yield about fifty bundles; the odd step covers every environment."""
    return itertools.islice(bundles(size), 0, None, size.bundles // SAMPLE | 1)


def secrets(project: str, team: str) -> Layer:
    """Return the secrets of a team."""

    def text(name: str) -> str:
        return hashlib.sha256(f"{project}/{team}/{name}".encode()).hexdigest()[:40]

    return {
        "database": {"password": text("password"), "replica": text("replica")},
        "tokens": {"api": text("api"), "metrics": text("metrics")},
        "signing_key": text("signing"),
    }


def layer(kind: str, *path: str) -> Layer:
    """Return ten variables (five in a small layer); two override the layer above and one is an expression."""
    identity = "-".join(path)
    number = crc32(f"{kind}/{identity}".encode())
    env_vars, config = _own(kind, identity, number), {kind: _settings(kind, number)}
    if above := ABOVE.get(kind):
        env_vars[f"{above.upper()}_REPLICAS"] = str(10 + number % 5)
        config[above] = {"limits": {"memory": f"{1024 + number % 777}Mi"}}
    return {"env_vars": env_vars, "config": config}


def _own(kind: str, identity: str, number: int) -> Layer:
    prefix, above = kind.upper(), ABOVE.get(kind, kind).upper()
    parts = (f"{prefix}_NAME", f"{above}_REGION", f"{above if kind in SMALL else prefix}_REPLICAS")
    variables: Layer = {
        f"{prefix}_NAME": identity,
        f"{prefix}_URL": Expression(URL, tuple(f"env_vars.{name}" for name in parts)),
    }
    if kind not in SMALL:
        variables[f"{prefix}_REGION"] = REGIONS[number % 5]
        variables[f"{prefix}_REPLICAS"] = str(1 + number % 7)
        variables[f"{prefix}_OWNER"] = f"owner-{number % 97}"
    return variables


def _settings(kind: str, number: int) -> Layer:
    timeout: Layer = {"timeout": 0.5 + number % 30}
    if kind in SMALL:
        return timeout
    return timeout | {
        "limits": {"cpu": f"{100 + number % 900}m", "memory": f"{64 + number % 512}Mi", "burst": number % 11},
        "tags": [f"{kind}-{number % 13}", f"cost-center-{1000 + number % 97}"],
    }


def _merged(layers: tuple[Layer, ...]) -> Layer:
    return reduce(_merge, layers)


def _resolved(merged: Layer) -> Layer:
    resolved = {
        name: value.text(lambda path: _at(merged, path)) if isinstance(value, Expression) else value
        for name, value in merged["env_vars"].items()
    }
    return {**merged, "env_vars": resolved}


def _at(data: Layer, path: str) -> Any:
    return reduce(lambda value, key: value[key], path.split("."), data)


def _merge(base: Layer, override: Layer) -> Layer:
    merged = dict(base)
    for key, value in override.items():
        old = base.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
