"""Run one command line of envtree, and write down how long each stage of its pipeline took: OUTPUT ARGUMENT…

The stages are patched where `by_project`, `run` and `publish` call them. They stream, one inside the other, so the
clock charges one stage at any moment; time outside of all stages is `other`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

START_TIME = time.perf_counter()

# The stages in the table of compiler/README.md; `start` is the imports, `decrypt` opens secrets files.
NAMES = (
    *("start", "discover", "parse", "validate", "link", "decrypt", "layer", "merge", "resolve"),
    *("assemble", "bundle_lint", "tree_lint", "emit", "write", "other"),
)


class Clock:
    """Charge the passing time to one payer at a time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._payers = ["other"]
        self._since = time.perf_counter()

    def begin(self, payer: str) -> None:
        """Charge a payer from now on."""
        self.settle()
        self._payers.append(payer)

    def end(self) -> None:
        """Return to the payer before."""
        self.settle()
        self._payers.pop()

    def settle(self) -> None:
        """Charge the time since the last call."""
        now = time.perf_counter()
        self.seconds[self._payers[-1]] += now - self._since
        self._since = now

    def call(self, payer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its time is charged to a payer."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            self.begin(payer)
            try:
                return function(*arguments, **keywords)
            finally:
                self.end()

        return timed

    def stream(self, payer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a generator function: the payer is charged while an item is computed, not while it is used."""
        exhausted = object()

        def timed(*arguments: Any, **keywords: Any) -> Iterator[Any]:
            items = iter(function(*arguments, **keywords))
            next_item = self.call(payer, next)
            while (item := next_item(items, exhausted)) is not exhausted:
                yield item

        return timed


def install(clock: Clock) -> None:
    """Wrap every stage with the clock, for the rest of the process."""
    from envtree.engine import by_project, project_result, publish, run
    from envtree.frontend import read_files

    for module, payer, name in (
        *((read_files, name, name) for name in ("parse", "validate")),
        *((run, "link", name) for name in ("link", "link_projects", "link_root")),
        *((module, "discover", "discover") for module in (run, by_project)),
        *((run, name, name) for name in ("assemble", "bundle_lint", "tree_lint")),
        (project_result, "tree_lint", "tree_lint"),
        *((publish, name, name) for name in ("emit", "write")),
        (run.Run, "decrypt", "_decrypt_secrets"),
    ):
        setattr(module, name, clock.call(payer, getattr(module, name)))
    for module, payer, name in (
        *((run, name, name) for name in ("layer", "merge", "resolve")),
        (run, "discover", "read_sources"),
        (run, "layer", "workspace_targets"),
        # The time of the ordering itself, which would otherwise be charged to the writer.
        (publish, "other", "_emit_artifacts"),
    ):
        setattr(module, name, clock.stream(payer, getattr(module, name)))


def main(output: str, *arguments: str) -> None:
    """Run the command line, and end with its exit code."""
    from envtree import cli

    clock = Clock()
    clock.begin("start")
    install(clock)
    clock.end()
    # Include the time before the clock existed.
    clock.seconds["start"] += time.perf_counter() - START_TIME - sum(clock.seconds.values())
    sys.argv = ["envtree", *arguments]
    try:
        cli.main()
    finally:
        clock.settle()
        seconds = {name: clock.seconds[name] for name in NAMES}
        Path(output).write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
