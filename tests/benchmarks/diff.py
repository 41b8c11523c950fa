"""Change one line of one environment, and print how long `envtree diff` takes to tell what that does."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .forms.envtree import write_envtree
from .measure import MEMORY_DISK, Run, Tool, measure
from .model import ENVIRONMENTS, SIZES, Size

GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid")
ADDED = "    ADDED: x\n"


def prepared(work: Path, size: Size) -> tuple[Path, str]:
    """A committed tree in which a line was added to an environment, and the name of that."""
    tree, environment = work / "tree", ENVIRONMENTS[size.environments - 1]
    write_envtree(size, tree)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "base")):
        subprocess.run([*GIT, *command], cwd=tree, check=True)
    file = tree / "environments" / f"{environment}.yaml"
    file.write_text(file.read_text("utf-8").replace("  env_vars:\n", f"  env_vars:\n{ADDED}", 1), "utf-8")
    return tree, environment


def check(tree: Path, environment: str, size: Size) -> None:
    """Stop unless the answer is one change in every bundle of the environment, with the line as its cause."""
    command = [sys.executable, "-m", "envtree", "diff", "HEAD", "--format", "json"]
    (change,) = json.loads(subprocess.run(command, cwd=tree, check=True, capture_output=True).stdout)["changes"]
    path = f"environments/{environment}.yaml"
    line = (tree / path).read_text("utf-8").splitlines().index(ADDED.rstrip()) + 1
    expected = (size.bundles // size.environments, [{"path": path, "line": line, "action": "added"}])
    if (len(change["bundles"]), change["causes"]) != expected:
        sys.exit("the answer is not what was changed")


def main() -> None:
    """Measure whole processes, and check what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    size = SIZES[options.size]
    with tempfile.TemporaryDirectory(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None) as folder:
        tree, environment = prepared(Path(folder), size)
        check(tree, environment, size)
        command = [sys.executable, "-m", "envtree", "diff", "HEAD"]
        tool = Tool("envtree diff", size, tree, command, tree, lambda _, __: (0, None))
        runs: list[Run] = [measure(tool) for _ in range(options.rounds)]
    seconds = [run.seconds for run in runs]
    print(
        f"one line of '{environment}', {size.bundles:,} bundles: {statistics.median(seconds):.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}), {max(run.peak_mb for run in runs):.0f} MB"
    )


if __name__ == "__main__":
    main()
