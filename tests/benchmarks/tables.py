"""The figures as lines of text."""

from __future__ import annotations

import itertools
import json
import math
import os
import platform
import statistics
from collections.abc import Mapping, Sequence

from tests.benchmarks.measure import Run
from tests.benchmarks.model import Size, sample

HEADER = (
    f"{'tool':<18}{'bundles/s':>10}{'seconds':>10}{'min':>8}{'max':>8}{'CPU s':>8}{'peak MB':>9}"
    "   its time / envtree's, of processors"
)


def describe(size: Size, rounds: int, folder: str) -> list[str]:
    """What is compiled, and where."""
    bundle = next(sample(size)).expected()
    variables = len(bundle["env_vars"]) + sum(map(len, bundle["config"].values()))
    length = len(json.dumps(bundle, separators=(",", ":"))) / 1000
    shape = f"{size.projects} projects x {size.environments} environments x {size.teams} teams x {size.agents} agents"
    return [
        f"{shape} = {size.bundles:,} bundles of {variables} variables, {length:.1f} kB as compact JSON",
        f"{'1 round' if rounds == 1 else f'{rounds} rounds in turns'}, {machine()}, in '{folder}'",
    ]


def machine() -> str:
    """What it is measured on; the load says who else was at work when it began."""
    load = os.getloadavg()[0]
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} CPUs, load {load:.1f}"


def speeds(runs: Mapping[str, list[Run]], size: Size) -> list[str]:
    """One line a tool; the ratio is taken within each round, so that a busy machine weighs on both sides."""
    lines = [HEADER]
    ours = statistics.median(run.cpu for run in runs["envtree"])
    for name, mine in runs.items():
        seconds = [run.seconds for run in mine]
        median, cpu = statistics.median(seconds), statistics.median(run.cpu for run in mine)
        lines.append(
            f"{name:<18}{size.bundles / median:>10,.0f}{median:>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}"
            f"{cpu:>8.2f}{max(run.peak_mb for run in mine):>9.0f}"
            f"   {_range(ratios(mine, runs['envtree'])):<22}{cpu / ours:>6.2f}"
        )
    return lines


def floor(runs: Mapping[str, list[Run]]) -> list[str]:
    """How far envtree is from it."""
    return [f"envtree takes {_range(ratios(runs['envtree'], runs['floor']))} times the floor"]


def again(kinds: Mapping[str, list[Run]], cold: Sequence[Run]) -> list[str]:
    """One line for each kind of run that comes after another one; its share of a run that knows nothing."""
    whole = statistics.median(run.cpu for run in cold)
    return [
        f"{name}: {_range([run.seconds for run in runs])} s, {cpu:.2f} s of processors, "
        f"{cpu / whole:.1%} of a first run, {max(run.peak_mb for run in runs):.0f} MB"
        for name, runs in kinds.items()
        for cpu in (statistics.median(run.cpu for run in runs),)
    ]


def growth(steps: Sequence[tuple[str, Size, list[Run]]]) -> list[str]:
    """The exponent of time over bundles between sizes; the first of them shows what a run takes for almost no bundles.

    Without that only processor time is compared: of a busy machine's clock the difference would be noise.
    """
    (smallest, _, fixed), *sizes = steps
    least = min(run.cpu for run in fixed)
    lines = []
    for (small, less, before), (large, more, after) in itertools.pairwise(sizes):
        factor = math.log(more.bundles / less.bundles)
        whole = [math.log(ratio) / factor for ratio in ratios(after, before)]
        # Never nothing: a size that takes no longer than the smallest has no exponent worth reading.
        pairs = zip(after, before, strict=True)
        rest = [math.log((last.cpu - least) / max(first.cpu - least, 1e-3)) / factor for last, first in pairs]
        lines.append(
            f"envtree's time grows with the power of {_range(whole)} from {small} to {large}; "
            f"its processor time, without what {smallest} takes, of {_range(rest)}"
        )
    return lines


def stages(columns: Mapping[str, Mapping[str, float]], bundles: int) -> list[str]:
    """One line a stage; the share and the time for each bundle are those of the first column."""
    first, *others = columns
    total = sum(columns[first].values())
    lines = [f"{'stage':<14}{'seconds':>10}{'share':>8}{'µs/bundle':>11}" + "".join(f"{name:>18}" for name in others)]
    for stage, seconds in (*columns[first].items(), ("whole", total)):
        beside = (
            f"{sum(columns[name].values()) if stage == 'whole' else columns[name].get(stage, math.nan):>18.3f}"
            for name in others
        )
        line = f"{stage:<14}{seconds:>10.3f}{seconds / total:>8.1%}{seconds / bundles * 1e6:>11.1f}" + "".join(beside)
        lines.append(line.replace("nan", "  -"))
    return lines


def ratios(mine: list[Run], theirs: list[Run]) -> list[float]:
    """One time by the other, round for round."""
    return [one.seconds / other.seconds for one, other in zip(mine, theirs, strict=True)]


def _range(values: Sequence[float], digits: int = 2) -> str:
    median, least, most = statistics.median(values), min(values), max(values)
    return f"{median:.{digits}f} ({least:.{digits}f} to {most:.{digits}f})"
