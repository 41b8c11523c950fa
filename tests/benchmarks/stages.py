"""Run one command line of envtree, and write down how long each stage of its pipeline took: OUTPUT ARGUMENT…

The stages are timed where `parted`, `pipeline` and `publish` call them, from the outside. They stream, one inside the
other, so a clock is handed on: at any moment one stage pays, and what no stage pays for is `other`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BEGUN = time.perf_counter()

# As the table in compiler/README.md has them; `start` imports, `decrypt` opens secrets files.
NAMES = (
    *("start", "discover", "parse", "validate", "link", "decrypt", "layer", "merge", "resolve"),
    *("assemble", "bundle_lint", "tree_lint", "emit", "write", "other"),
)


class Clock:
    """Who pays for the time that passes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._payers = ["other"]
        self._since = time.perf_counter()

    def begin(self, payer: str) -> None:
        """Let somebody else pay."""
        self.settle()
        self._payers.append(payer)

    def end(self) -> None:
        """Let that payer be done."""
        self.settle()
        self._payers.pop()

    def settle(self) -> None:
        """Charge what has passed."""
        now = time.perf_counter()
        self.seconds[self._payers[-1]] += now - self._since
        self._since = now

    def call(self, payer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function at its payer's expense."""

        def timed(*arguments: Any, **named: Any) -> Any:
            self.begin(payer)
            try:
                return function(*arguments, **named)
            finally:
                self.end()

        return timed

    def stream(self, payer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """One that yields: its payer pays until something comes out, and whoever asked goes on."""
        end = object()

        def timed(*arguments: Any, **named: Any) -> Iterator[Any]:
            items = iter(function(*arguments, **named))
            take = self.call(payer, next)
            while (item := take(items, end)) is not end:
                yield item

        return timed


def install(clock: Clock) -> None:
    """Put the clock around every stage, for as long as the process lives."""
    from envtree.engine import by_project as parted
    from envtree.engine import project_result as unit
    from envtree.engine import publish
    from envtree.engine import run as pipeline
    from envtree.frontend import read_files as reading

    for module, payer, name in (
        *((reading, name, name) for name in ("parse", "validate")),
        *((pipeline, "link", name) for name in ("link", "link_projects", "link_root")),
        *((module, "discover", "discover") for module in (pipeline, parted)),
        *((pipeline, name, name) for name in ("assemble", "bundle_lint", "tree_lint")),
        (unit, "tree_lint", "tree_lint"),
        *((publish, name, name) for name in ("emit", "write")),
        (pipeline.Run, "decrypt", "_decrypt_secrets"),
    ):
        setattr(module, name, clock.call(payer, getattr(module, name)))
    for module, payer, name in (
        *((pipeline, name, name) for name in ("layer", "merge", "resolve")),
        (pipeline, "discover", "read_sources"),
        (pipeline, "layer", "workspace_targets"),
        # What the order itself takes, which would else be the writer's.
        (publish, "other", "_emit_artifacts"),
    ):
        setattr(module, name, clock.stream(payer, getattr(module, name)))


def main(output: str, *arguments: str) -> None:
    """Run the command line, and end as it does."""
    from envtree import cli

    clock = Clock()
    clock.begin("start")
    install(clock)
    clock.end()
    # Before there was a clock, too.
    clock.seconds["start"] += time.perf_counter() - BEGUN - sum(clock.seconds.values())
    sys.argv = ["envtree", *arguments]
    try:
        cli.main()
    finally:
        clock.settle()
        seconds = {name: clock.seconds[name] for name in NAMES}
        Path(output).write_text(json.dumps(seconds), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
