"""Measure incremental runs: nothing has changed since the run before, or one agent has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import Run, Tool, check, measure

NOTHING, AGENT = "nothing changed", "one agent edited"


def again(first_run_tool: Tool, work: Path, rounds: int) -> dict[str, list[Run]]:
    """Return the runs of each kind; envtree's cache is below `work`."""
    command = [word for word in first_run_tool.command if word != "--no-cache"]
    tool = first_run_tool._replace(command=command, environ={"XDG_CACHE_HOME": str(work / "cache")})
    agent = next(path for path in sorted(tool.folder.rglob("*.yaml")) if path.parent.name == "agents")
    before = agent.read_bytes()

    def edit() -> None:
        # The text changes and the bundles do not, so that they can be compared with the model.
        agent.write_bytes(agent.read_bytes() + b"# edited\n")

    def run_once(prepare: Callable[[], None] = lambda: None) -> Run:
        prepare()
        run = measure(tool)
        check(tool)
        return run

    try:
        # The first run caches its results. The second one also caches parsed files, since runs are repeated.
        run_once()
        run_once(edit)
        runs: dict[str, list[Run]] = {NOTHING: [], AGENT: []}
        for _ in range(rounds):
            runs[NOTHING].append(run_once())
            runs[AGENT].append(run_once(edit))
        return runs
    finally:
        agent.write_bytes(before)
        shutil.rmtree(tool.output, ignore_errors=True)
        shutil.rmtree(work / "cache", ignore_errors=True)
