"""deepmerge selects the strategy of every merge; only the frequent cases of `merge_maps` are decided without it."""

import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import deepmerge
import pytest
from deepmerge.exception import StrategyNotFound

from envtree.compile.merge import strategies
from envtree.compile.merge.lists import ListStrategies
from envtree.compile.merge.strategies import STRATEGIES
from envtree.model.path_policy import ListPolicy
from tests.support.trees import layers, merge_all

DISPATCHER = Path(deepmerge.__file__).parent
MERGE = Path(strategies.__file__).parent
LIST_STRATEGIES = {f"strategy_{policy.value}" for policy in ListPolicy}

ORGANIZATION = (
    "merge: {config.a: append, config.p: prepend, config.u: union, config.q: unique, config.k: {by_key: name}}"
)
LOW = (
    "{config: {m: {x: 1, y: {z: 1}}, r: [1], a: [1], p: [1], u: [1], q: [1], k: [{name: n, v: 1}], n: null, s: 1,"
    " d: 1, l: [1]}}"
)
# A strategy may hand a part of its change to another one, whose types it knows.
DIRECT_CALLS = {("merge_maps", "values.py"), ("merge_maps", "maps.py"), ("report_clash", "values.py")}
HIGH = (
    "{config: {m: {x: 2, y: {z: 2}}, r: [2], a: [2], p: [2], u: [1, 2], q: [2], k: [{name: n, v: 2}], n: {x: 1},"
    " s: text, d: {$delete: true}, l: {$append: [2]}, o: {q: {$value: 1, $lock: true}}}}"
)


def _strategy_callers() -> Counter[tuple[str, str]]:
    """Merge two layers of every kind; return how often each strategy was called, and by which file."""
    names = {function.__name__ for function in (*dict(STRATEGIES.by_type).values(), *STRATEGIES.conflict)}
    calls: Counter[tuple[str, str]] = Counter()

    def on_event(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        is_strategy = code.co_name in names | LIST_STRATEGIES and Path(code.co_filename).is_relative_to(MERGE)
        if event == "call" and is_strategy and frame.f_back is not None:
            calls[code.co_name, frame.f_back.f_code.co_filename] += 1

    sys.setprofile(on_event)
    try:
        merge_all(layers(LOW, HIGH, organization=ORGANIZATION))
    finally:
        sys.setprofile(None)
    return calls


def test_every_merge_goes_through_deepmerge() -> None:
    callers = _strategy_callers()
    strategies_by_name = {function.__name__ for function in (*dict(STRATEGIES.by_type).values(), *STRATEGIES.conflict)}
    assert {name for name, _ in callers} == strategies_by_name | LIST_STRATEGIES
    direct_calls = {(name, Path(file).name) for name, file in callers if not Path(file).is_relative_to(DISPATCHER)}
    assert direct_calls <= DIRECT_CALLS


@pytest.mark.parametrize("policy", ListPolicy)
def test_a_list_policy_is_the_name_of_a_strategy(policy: ListPolicy) -> None:
    assert ListStrategies(policy.value).NAME == "list"


def test_deepmerge_refuses_a_policy_without_a_strategy() -> None:
    with pytest.raises(StrategyNotFound):
        ListStrategies("set_union")
