"""Change one line, and print how long `envtree diff` takes to report the effect, the first time and later."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.forms.envtree import write_envtree
from tests.benchmarks.measure import MEMORY_DISK, Run, Tool, measure
from tests.benchmarks.model import ENVIRONMENTS, SIZES, Size

GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid", "-c", "gc.auto=0")


class Change(NamedTuple):
    """A line that is added to a file, and the number of bundles that get it."""

    name: str
    path: str
    bundles: int


def make_repository(work: Path, size: Size) -> Path:
    """Write a tree and commit all of it."""
    tree = work / "tree"
    write_envtree(size, tree)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "base"), ("gc", "-q")):
        subprocess.run([*GIT, *command], cwd=tree, check=True)
    return tree


def changes(tree: Path, size: Size) -> list[Change]:
    """Return a line of one agent, and one of an environment that reaches every project."""
    agents = sorted(tree.glob("projects/*/teams/*/agents/*.yaml"))
    agent = agents[len(agents) // 2].relative_to(tree)
    environment = ENVIRONMENTS[size.environments - 1]
    return [
        Change("an agent", agent.as_posix(), size.environments),
        Change("an environment", f"environments/{environment}.yaml", size.bundles // size.environments),
    ]


def apply_change(tree: Path, change: Change, name: str, wait: float) -> None:
    """Reset the tree to the commit, add the line, and wait."""
    subprocess.run([*GIT, "checkout", "-q", "."], cwd=tree, check=True)
    file = tree / change.path
    text = file.read_text("utf-8")
    file.write_text(text.replace("  env_vars:\n", f"  env_vars:\n    {name}: x\n", 1), "utf-8")
    time.sleep(wait)


def check(tree: Path, change: Change) -> None:
    """Exit unless the answer is one change in every bundle that has the line, with the line as its cause."""
    command = [sys.executable, "-m", "envtree", "diff", "HEAD", "--output-format", "json"]
    (answer,) = json.loads(subprocess.run(command, cwd=tree, check=True, capture_output=True).stdout)["changes"]
    lines = (tree / change.path).read_text("utf-8").splitlines()
    line = lines.index("    ADDED: x") + 1
    expected = (change.bundles, [{"path": change.path, "line": line, "action": "added"}])
    if (len(answer["bundles"]), answer["causes"]) != expected:
        sys.exit("the answer is not what was changed")


def print_runs(label: str, runs: list[Run]) -> None:
    """Print the time, processor time and memory of runs."""
    seconds = [run.seconds for run in runs]
    peak = max(run.peak_mb for run in runs)
    times = f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"
    print(f"{label}: {times}, {statistics.median(run.cpu for run in runs):.2f} s of processors, {peak:.0f} MB")


def main() -> None:
    """Measure whole processes, and check their answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--rounds", type=int, default=3)
    # A file that changed less than two seconds ago is always read again.
    parser.add_argument("--wait", type=float, default=2.1)
    options = parser.parse_args()
    size = SIZES[options.size]
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        tree = make_repository(Path(folder), size)
        command = [sys.executable, "-m", "envtree", "diff", "HEAD"]
        commands = {"nothing known": (*command, "--no-cache"), "known": command}
        tools = {
            cache_state: Tool("envtree diff", size, tree, list(words), tree, lambda _, __: (0, None))
            for cache_state, words in commands.items()
        }
        print(f"{size.bundles:,} bundles, one line of")
        for change in changes(tree, size):
            # The first run fills the cache.
            apply_change(tree, change, "ADDED", options.wait)
            check(tree, change)
            runs: dict[str, list[Run]] = {cache_state: [] for cache_state in commands}
            for number in range(options.rounds):
                # Add another line each time, so that no output is replayed.
                apply_change(tree, change, f"ADDED_{number}", options.wait)
                for cache_state, tool in tools.items():
                    runs[cache_state].append(measure(tool))
            for cache_state, state_runs in runs.items():
                print_runs(f"{change.name}, {cache_state}", state_runs)


if __name__ == "__main__":
    main()
