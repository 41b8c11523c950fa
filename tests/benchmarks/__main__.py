"""Compile one organization with envtree and its peers, in turns; print speed, memory, and where envtree's time goes."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks.again import again
from tests.benchmarks.measure import MEMORY_DISK, Tool, play
from tests.benchmarks.model import SIZES
from tests.benchmarks.profile import profile
from tests.benchmarks.tools import PEERS, envtree, floor, peer, with_secrets

from . import recorded, tables

PARTS = ("secrets", "floor", "growth", "again", "stages")
# At this size a round takes minutes, and some peers take far longer.
LARGE = "L"


class Report:
    """Print lines, and write them to a file if one is given."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("", encoding="utf-8")

    def add(self, lines: Iterable[str]) -> None:
        """Add lines, followed by an empty one."""
        text = "".join(f"{line}\n" for line in (*lines, ""))
        print(text, end="", flush=True)
        if self._file:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(text)


def main() -> None:
    """Generate the trees, run the tools, and print the tables."""
    options = _options()
    report, in_memory = Report(options.keep), MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="envtree-benchmark-", dir=options.work or in_memory) as folder:
        report.add(tables.describe(SIZES[options.size], options.rounds, str(Path(folder).parent)))
        compare(Path(folder), options, report)
    report.add(["every bundle counted, a sample of each run equal to the model"])


def compare(work: Path, options: argparse.Namespace, report: Report) -> None:
    """Run all parts that the options select."""
    size, parts = SIZES[options.size], [part for part in PARTS if part not in options.skip]
    variants = [envtree(work, size), *(with_secrets(work, size) if "secrets" in parts else ())]
    floors = [floor(work, size)] if {"floor", "stages"} & {*parts} else []
    smaller = _smaller(work, options.size) if "growth" in parts else {}
    tools = [*variants, *floors, *(peer(name, work, size) for name in options.peers)]
    runs = play([*tools, *smaller.values()], options.rounds)
    report.add(tables.speeds({tool.name: runs[tool.name] for tool in tools}, size) + _left_out(options))
    ratios = tables.processor_ratios({tool.name: runs[tool.name] for tool in tools})
    report.add(recorded.compare(f"size {options.size}", ratios))
    if options.record:
        recorded.record(f"size {options.size}", ratios)
    if floors:
        report.add(tables.floor(runs))
    if smaller:
        steps = [(name, SIZES[name], runs[tool.name]) for name, tool in smaller.items()]
        report.add(tables.growth([*steps, (options.size, size, runs["envtree"])]))
    if "again" in parts:
        report.add(tables.again(again(variants[0], work, options.rounds), runs["envtree"]))
    if "stages" in parts:
        report.add(tables.stages(profile(variants[:2], floors[0], options.rounds), size.bundles))


def _smaller(work: Path, size: str) -> dict[str, Tool]:
    """Return envtree on every smaller tree, to measure growth; it needs more than one smaller size."""
    names = list(SIZES)[: list(SIZES).index(size)]
    return {name: envtree(work, SIZES[name], f"envtree {name}") for name in names} if len(names) > 1 else {}


def _left_out(options: argparse.Namespace) -> list[str]:
    reasons = {name: candidate.too_large for name, candidate in PEERS.items() if name not in options.peers}
    return [f"left out: {name}{f', which {reason} at size L' if reason else ''}" for name, reason in reasons.items()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="S", help="how many bundles: 8, 300, 10,000 or 100,000")
    parser.add_argument("--rounds", type=int, help="how often each tool runs (default: 3, at size L 1)")
    parser.add_argument(
        "--peers", nargs="*", choices=PEERS, help="whom to run beside (default: all; at size L who ends in minutes)"
    )
    parser.add_argument("--skip", nargs="+", choices=PARTS, default=[], help="what not to measure")
    parser.add_argument("--record", action="store_true", help="record the ratios as those to compare with")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="also write what is printed into a file")
    parser.add_argument("--work", type=Path, help="where trees and outputs go (default: in memory, else on disk)")
    options = parser.parse_args()
    large = options.size == LARGE
    options.rounds = options.rounds or (1 if large else 3)
    if options.peers is None:
        options.peers = [name for name, candidate in PEERS.items() if not (large and candidate.too_large)]
    return options


if __name__ == "__main__":
    main()
