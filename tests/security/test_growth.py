"""The effort of a check grows with the size of the tree, whichever part of it grows (T93)."""

from collections.abc import Callable, Hashable
from functools import partial

import pytest

from envtree.compile.merge import lists
from envtree.compile.merge.equality import identity
from envtree.model.merged import MergedValue
from tests.support.effort import assert_linear
from tests.support.trees import Files, check, layers

SIZE = 25
# Environments have at most 100 ancestors, and up to there the effort is a square.
BEYOND_THE_LIMIT_OF_ANCESTORS = 150


class _VisibleIdentity:
    """What makes an element of a list equal to another one, with comparisons that are steps of Python."""

    def __init__(self, key: Hashable) -> None:
        self._key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _VisibleIdentity) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def _visible_identity(value: MergedValue) -> Hashable:
    key = identity(value)
    return None if key is None else _VisibleIdentity(key)


def _elements(n: int) -> str:
    return ", ".join(f"{{name: e{k:05}, v: {k}}}" for k in range(n))


def _environments(text: Callable[[int], str]) -> Callable[[int], Files]:
    return lambda n: {**layers(), **{f"environments/e{k:05}.yaml": text(k) for k in range(n)}}


def _variables(text: Callable[[int], str]) -> Callable[[int], Files]:
    return lambda n: layers(f"{{env_vars: {_map(n, text)}}}")


def _map(n: int, text: Callable[[int], str]) -> str:
    return "{" + ", ".join(f"V{k:05}: {text(k)}" for k in range(n)) + "}"


def _agents(text: str) -> Callable[[int], Files]:
    return lambda n: {**layers(), **{f"projects/p/teams/t/agents/a{k:05}.yaml": text for k in range(n)}}


def _policies(n: int) -> Files:
    selectors = ", ".join(f"'**/a{k}@*'" for k in range(n))
    return {**layers(), "policies/p.yaml": f"{{schema: true, selector: [{selectors}, '**']}}"}


def _schema_references(n: int) -> Files:
    definitions = ", ".join(f"d{k:05}: {{$ref: '#/$defs/d{k + 1:05}'}}" for k in range(n))
    schema = f"{{$defs: {{{definitions}, d{n:05}: true}}, $ref: '#/$defs/d00000'}}"
    return {**layers(), "policies/p.yaml": f"{{schema: {schema}}}"}


GROWING: dict[str, Callable[[int], Files]] = {
    "environments without parents": _environments(lambda k: "{abstract: true}"),
    "a chain of environments": _environments(lambda k: f"{{abstract: true, inherits: e{k - 1:05}}}" if k else "{}"),
    "environments with one parent": _environments(lambda k: "{abstract: true, inherits: e00000}" if k else "{}"),
    "a circle of environments": _environments(lambda k: f"{{inherits: e{(k + 1) % 150:05}}}"),
    "variables": _variables(lambda k: "x"),
    "expressions": _variables(lambda k: f"'${{{{ env_vars.V{k // 2:05} }}}}'" if k else "x"),
    "agents": _agents("{}"),
    "agents with overlays": _agents("{environments: {production: {execution_environment: {env_vars: {A: x}}}}}"),
    "selectors of a policy": _policies,
    "references of a schema": _schema_references,
    "contracts": lambda n: layers(
        f"{{env_vars: {_map(n, lambda k: 'x')}}}", organization=f"variables: {_map(n, lambda k: '{pattern: x}')}"
    ),
    "a union of lists": lambda n: layers(
        f"{{config: {{items: {list(range(n))}}}}}",
        f"{{config: {{items: {list(range(n // 2, n + n // 2))}}}}}",
        organization="merge: {config.items: union}",
    ),
    "lists by key": lambda n: layers(
        f"{{config: {{items: [{_elements(n)}]}}}}",
        f"{{config: {{items: [{_elements(n)}]}}}}",
        organization="merge: {config.items: {by_key: name}}",
    ),
    "policies and lists": lambda n: layers(
        f"{{config: {_map(n, lambda k: '{a: [1]}')}}}",
        f"{{config: {_map(n, lambda k: '{a: [2]}')}}}",
        organization=f"merge: {{config.**.a: union, {', '.join(f'config.V{k:05}.a: append' for k in range(n))}}}",
    ),
    "a policy of any depth": lambda n: layers(
        f"{{config: {_map(n, lambda k: '{a: {b: {c: [1]}}}')}}}",
        f"{{config: {_map(n, lambda k: '{a: {b: {c: [2]}}}')}}}",
        organization="merge: {config.**.a.**.c: union, '**.**.**.b.**': append, 'config.**': replace}",
    ),
    "elements to remove": lambda n: layers(
        f"{{config: {{items: {list(range(n))}}}}}", f"{{config: {{items: {{$remove: {list(range(n))}}}}}}}"
    ),
    "list items": lambda n: layers(f"{{config: {{items: {list(range(n))}}}}}"),
}


# Findings that belong to a tree; any other one would end the check before it does what grows.
EXPECTED_CODES = {
    "a chain of environments": {"ET315"},
    "a circle of environments": {"ET302"},
    "lists by key": {"ET452"},
}


def _check_for_codes(files: Files, codes: set[str]) -> None:
    assert set(check(files).codes) == codes


@pytest.mark.parametrize("name", GROWING)
def test_t93_effort_grows_with_the_size_of_the_tree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "identity", _visible_identity)
    size = BEYOND_THE_LIMIT_OF_ANCESTORS if name in ("a chain of environments", "a circle of environments") else SIZE

    def prepare(size: int) -> Callable[[], None]:
        return partial(_check_for_codes, GROWING[name](size), EXPECTED_CODES.get(name, set()))

    assert_linear(prepare, size)
