"""What a run takes that comes after another: nothing has changed since, or one agent has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.measure import Run, Tool, check, measure

NOTHING, AGENT = "nothing changed", "one agent edited"


def again(cold: Tool, work: Path, rounds: int) -> dict[str, list[Run]]:
    """The runs of each kind; envtree keeps what it knows below `work`."""
    command = [word for word in cold.command if word != "--no-cache"]
    tool = cold._replace(command=command, environ={"XDG_CACHE_HOME": str(work / "cache")})
    agent = next(path for path in sorted(tool.folder.rglob("*.yaml")) if path.parent.name == "agents")
    before = agent.read_bytes()

    def edit() -> None:
        # Another text, and the same bundles, so that they can be compared with the model.
        agent.write_bytes(agent.read_bytes() + b"# edited\n")

    def once(prepare: Callable[[], None] = lambda: None) -> Run:
        prepare()
        run = measure(tool)
        check(tool)
        return run

    try:
        # The first run keeps what it has found, and the second one what it has parsed, as somebody seems to come again.
        once()
        once(edit)
        runs: dict[str, list[Run]] = {NOTHING: [], AGENT: []}
        for _ in range(rounds):
            runs[NOTHING].append(once())
            runs[AGENT].append(once(edit))
        return runs
    finally:
        agent.write_bytes(before)
        shutil.rmtree(tool.output, ignore_errors=True)
        shutil.rmtree(work / "cache", ignore_errors=True)
