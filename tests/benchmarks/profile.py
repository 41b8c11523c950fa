"""The time of envtree by stage, compared with the floor's."""

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
    """Return the seconds of each stage by tool, and those of the floor; medians of the rounds."""
    runs_by_tool: dict[str, list[dict[str, float]]] = {tool.name: [] for tool in (*tools, floor)}
    for _ in range(rounds):
        for tool in tools:
            runs_by_tool[tool.name].append(_stages(tool))
        runs_by_tool[floor.name].append(_parts(floor))
    return {name: _medians(runs) for name, runs in runs_by_tool.items()}


def _stages(tool: Tool) -> dict[str, float]:
    """Return the stage times of one run; `python` is the rest of the process, before and after."""
    stages_file = tool.output.with_suffix(".stages.json")
    _, _, _, *arguments = tool.command
    timed = tool._replace(
        command=[sys.executable, "-m", "tests.benchmarks.stages", str(stages_file), *arguments, "--jobs", "1"]
    )
    total = measure(timed).seconds
    check(timed)
    shutil.rmtree(timed.output)
    seconds: dict[str, float] = json.loads(stages_file.read_bytes())
    return {"python": total - sum(seconds.values())} | {name: seconds[name] for name in NAMES}


def _parts(floor: Tool) -> dict[str, float]:
    total = measure(floor).seconds
    check(floor)
    seconds: dict[str, float] = json.loads(Path(floor.output, PARTS).read_bytes())
    shutil.rmtree(floor.output)
    return {"python": total - sum(seconds.values())} | seconds


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
