"""The time of a check grows with the size of the tree, whichever part of it grows (T93)."""

import gc
from collections.abc import Callable
from time import process_time

import pytest

from tests.support.trees import Files, check, layers

# Four times the input: n log n takes less than five times as long, a square sixteen times.
SMALL, FACTOR, LIMIT = 150, 4, 9.0


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
    return {**layers(), "policies/p.yaml": f"{{schema: true, selectors: [{selectors}, '**']}}"}


def _schema_references(n: int) -> Files:
    definitions = ", ".join(f"d{k:05}: {{$ref: '#/$defs/d{k + 1:05}'}}" for k in range(n))
    schema = f"{{$defs: {{{definitions}, d{n:05}: true}}, $ref: '#/$defs/d00000'}}"
    return {**layers(), "policies/p.yaml": f"{{schema: {schema}}}"}


GROWING = {
    "environments without parents": _environments(lambda k: "{abstract: true}"),
    "a chain of environments": _environments(lambda k: f"{{abstract: true, inherits: e{k - 1:05}}}" if k else "{}"),
    "environments with one parent": _environments(lambda k: "{abstract: true, inherits: e00000}" if k else "{}"),
    "a circle of environments": _environments(lambda k: f"{{inherits: e{(k + 1) % 150:05}}}"),
    "variables": _variables(lambda k: "x"),
    "expressions": _variables(lambda k: f"'${{{{ env.V{k // 2:05} }}}}'" if k else "x"),
    "agents": _agents("{}"),
    "agents with overlays": _agents("{environments: {production: {execution_environment: {env_vars: {A: x}}}}}"),
    "selectors of a policy": _policies,
    "references of a schema": _schema_references,
    "contracts": lambda n: layers(organization=f"contracts: {_map(n, lambda k: '{type: string}')}"),
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


def seconds(files: Files) -> float:
    """Return the least processor time of three checks."""
    times = []
    for _ in range(3):
        start = process_time()
        check(files)
        times.append(process_time() - start)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("grow", GROWING.values(), ids=GROWING.keys())
def test_t93_time_grows_with_the_size_of_the_tree(grow: Callable[[int], Files]) -> None:
    gc.disable()
    try:
        small, large = (seconds(grow(n)) for n in (SMALL, SMALL * FACTOR))
        # Only growth counts: a check of almost nothing takes a few milliseconds.
        if large > 0.25:
            larger = seconds(grow(SMALL * FACTOR * FACTOR))
            assert larger / large < LIMIT
        assert large / small < LIMIT
    finally:
        gc.enable()
