"""Where envtree's own time goes, by stage, and the floor's beside it."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from pathlib import Path

from tests.benchmarks.floor import PARTS
from tests.benchmarks.measure import Tool, check, measure
from tests.benchmarks.stages import NAMES


def profile(tools: list[Tool], floor: Tool, rounds: int) -> dict[str, dict[str, float]]:
    """The seconds of each stage by tool, and those of the floor; medians of the rounds."""
    taken: dict[str, list[dict[str, float]]] = {tool.name: [] for tool in (*tools, floor)}
    for _ in range(rounds):
        for tool in tools:
            taken[tool.name].append(_stages(tool))
        taken[floor.name].append(_parts(floor))
    return {name: _medians(runs) for name, runs in taken.items()}


def _stages(tool: Tool) -> dict[str, float]:
    """One run under the clock; `python` is what the process takes before and after."""
    told = tool.output.with_suffix(".stages.json")
    _, _, _, *arguments = tool.command
    timed = tool._replace(
        command=[sys.executable, "-m", "tests.benchmarks.stages", str(told), *arguments, "--jobs", "1"]
    )
    whole = measure(timed).seconds
    check(timed)
    shutil.rmtree(timed.output)
    seconds: dict[str, float] = json.loads(told.read_bytes())
    return {"python": whole - sum(seconds.values())} | {name: seconds[name] for name in NAMES}


def _parts(floor: Tool) -> dict[str, float]:
    whole = measure(floor).seconds
    check(floor)
    seconds: dict[str, float] = json.loads(Path(floor.output, PARTS).read_bytes())
    shutil.rmtree(floor.output)
    return {"python": whole - sum(seconds.values())} | seconds


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
