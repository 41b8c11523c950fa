"""The measurements as lines of text."""

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
    """Return what is compiled, and where."""
    bundle = next(sample(size)).expected()
    variables = len(bundle["env_vars"]) + sum(map(len, bundle["config"].values()))
    length = len(json.dumps(bundle, separators=(",", ":"))) / 1000
    shape = f"{size.projects} projects x {size.environments} environments x {size.teams} teams x {size.agents} agents"
    return [
        f"{shape} = {size.bundles:,} bundles of {variables} variables, {length:.1f} kB as compact JSON",
        f"{'1 round' if rounds == 1 else f'{rounds} rounds in turns'}, {machine()}, in '{folder}'",
    ]


def machine() -> str:
    """Return the machine of the measurement; its load shows other work at the start."""
    load = os.getloadavg()[0]
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} CPUs, load {load:.1f}"


def speeds(runs: Mapping[str, list[Run]], size: Size) -> list[str]:
    """Return one line per tool; ratios are taken within each round, so that other load affects both sides."""
    lines = [HEADER]
    envtree_cpu = statistics.median(run.cpu for run in runs["envtree"])
    for name, tool_runs in runs.items():
        seconds = [run.seconds for run in tool_runs]
        median, cpu = statistics.median(seconds), statistics.median(run.cpu for run in tool_runs)
        lines.append(
            f"{name:<18}{size.bundles / median:>10,.0f}{median:>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}"
            f"{cpu:>8.2f}{max(run.peak_mb for run in tool_runs):>9.0f}"
            f"   {_range(ratios(tool_runs, runs['envtree'])):<22}{cpu / envtree_cpu:>6.2f}"
        )
    return lines


def processor_ratios(runs: Mapping[str, list[Run]]) -> dict[str, float]:
    """Return each tool's processor time divided by envtree's, except for envtree itself."""
    times = {name: statistics.median(run.cpu for run in tool_runs) for name, tool_runs in runs.items()}
    return {f"{name}, of envtree's": time / times["envtree"] for name, time in times.items() if name != "envtree"}


def floor(runs: Mapping[str, list[Run]]) -> list[str]:
    """Return how many times the floor envtree takes."""
    return [f"envtree takes {_range(ratios(runs['envtree'], runs['floor']))} times the floor"]


def again(kinds: Mapping[str, list[Run]], cold: Sequence[Run]) -> list[str]:
    """Return one line for each kind of repeated run, with its share of a first run."""
    first_run_cpu = statistics.median(run.cpu for run in cold)
    return [
        f"{name}: {_range([run.seconds for run in runs])} s, {cpu:.2f} s of processors, "
        f"{cpu / first_run_cpu:.1%} of a first run, {max(run.peak_mb for run in runs):.0f} MB"
        for name, runs in kinds.items()
        for cpu in (statistics.median(run.cpu for run in runs),)
    ]


def growth(steps: Sequence[tuple[str, Size, list[Run]]]) -> list[str]:
    """Return the exponent of time over bundles between sizes; the smallest size measures the fixed cost.

    With the fixed cost subtracted, only processor time is compared: on a busy machine the difference of clock times
    would be noise.
    """
    (smallest, _, fixed_runs), *sizes = steps
    fixed_cpu = min(run.cpu for run in fixed_runs)
    lines = []
    for (small, small_size, small_runs), (large, large_size, large_runs) in itertools.pairwise(sizes):
        factor = math.log(large_size.bundles / small_size.bundles)
        exponents = [math.log(ratio) / factor for ratio in ratios(large_runs, small_runs)]
        # At least a millisecond: a size that takes no longer than the smallest has no meaningful exponent.
        pairs = zip(large_runs, small_runs, strict=True)
        cpu_exponents = [
            math.log((large_run.cpu - fixed_cpu) / max(small_run.cpu - fixed_cpu, 1e-3)) / factor
            for large_run, small_run in pairs
        ]
        lines.append(
            f"envtree's time grows with the power of {_range(exponents)} from {small} to {large}; "
            f"its processor time, without what {smallest} takes, of {_range(cpu_exponents)}"
        )
    return lines


def stages(columns: Mapping[str, Mapping[str, float]], bundles: int) -> list[str]:
    """Return one line per stage; share and time per bundle are those of the first column."""
    first, *others = columns
    total = sum(columns[first].values())
    lines = [f"{'stage':<14}{'seconds':>10}{'share':>8}{'µs/bundle':>11}" + "".join(f"{name:>18}" for name in others)]
    for stage, seconds in (*columns[first].items(), ("whole", total)):
        other_columns = (
            f"{sum(columns[name].values()) if stage == 'whole' else columns[name].get(stage, math.nan):>18.3f}"
            for name in others
        )
        line = f"{stage:<14}{seconds:>10.3f}{seconds / total:>8.1%}{seconds / bundles * 1e6:>11.1f}" + "".join(
            other_columns
        )
        lines.append(line.replace("nan", "  -"))
    return lines


def ratios(numerators: list[Run], denominators: list[Run]) -> list[float]:
    """Return the quotient of the times of each round."""
    return [run.seconds / reference.seconds for run, reference in zip(numerators, denominators, strict=True)]


def _range(values: Sequence[float], digits: int = 2) -> str:
    median, minimum, maximum = statistics.median(values), min(values), max(values)
    return f"{median:.{digits}f} ({minimum:.{digits}f} to {maximum:.{digits}f})"
