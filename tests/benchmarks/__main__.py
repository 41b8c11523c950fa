"""Compile one logical organization with envtree and with himl, in turns, and print speed and memory."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .generate import envtree_folder, himl_leaf, write_envtree, write_himl
from .model import SIZES, Layer, Size, sample

HERE = Path(__file__).resolve().parent
COMPILER = HERE.parents[1] / "compiler"
REQUIREMENTS = HERE / "himl-requirements.txt"
MEMORY_DISK = Path("/dev/shm")
RSS_UNITS_A_MB = 1024**2 if sys.platform == "darwin" else 1024
HEADER = f"{'tool':<10}{'bundles/s':>10}{'seconds':>10}{'min':>8}{'max':>8}{'peak MB':>9}   himl's time / its time"


class Run(NamedTuple):
    """One whole process."""

    seconds: float
    peak_mb: float


class Tool(NamedTuple):
    """A command that compiles the tree in `folder`, and what it left behind as (count, sampled bundles)."""

    name: str
    folder: Path
    command: list[str]
    output: Path
    read: Callable[[Path, Size], tuple[int, list[Layer]]]


def envtree(work: Path, size: Size) -> Tool:
    """envtree from this checkout, writing every bundle to disk."""
    write_envtree(size, work / "envtree")
    output = work / "out"
    command = [sys.executable, "-m", "envtree", "compile", "-o", str(output)]
    return Tool("envtree", work / "envtree", command, output, _read_envtree)


def _read_envtree(output: Path, size: Size) -> tuple[int, list[Layer]]:
    paths = [output / envtree_folder(bundle) / "bundle.json" for bundle in sample(size)]
    count = sum(1 for _ in output.glob("*/*/*/*/bundle.json"))
    return count, [json.loads(path.read_bytes()) for path in paths]


def himl(work: Path, size: Size) -> Tool:
    """himl's API in one process, rendering in memory."""
    write_himl(size, work / "himl")
    wanted, output = work / "wanted.json", work / "himl.json"
    wanted.write_text(json.dumps([himl_leaf(bundle) for bundle in sample(size)]), encoding="utf-8")
    command = [str(_himl_python()), str(HERE / "himl_render.py"), str(work / "himl"), str(wanted), str(output)]
    return Tool("himl", work / "himl", command, output, _read_himl)


def _read_himl(output: Path, size: Size) -> tuple[int, list[Layer]]:
    answer = json.loads(output.read_bytes())
    return answer["count"], [answer["bundles"][himl_leaf(bundle)] for bundle in sample(size)]


def _himl_python() -> Path:
    """The interpreter of himl's virtual environment, which is made once and kept."""
    cache = Path(tempfile.gettempdir()) / f"envtree-benchmark-{os.getuid()}"
    cache.mkdir(mode=0o700, exist_ok=True)
    if cache.is_symlink() or cache.stat().st_uid != os.getuid():
        sys.exit(f"'{cache}' belongs to someone else, set TMPDIR to a folder of your own")
    home = cache / f"himl-{platform.python_version()}"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
    return python


def measure(tool: Tool) -> Run:
    """Run the tool once from start to exit; its own peak memory is the kernel's figure."""
    path = os.pathsep.join(filter(None, [str(COMPILER), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            tool.command, cwd=tool.folder, env=os.environ | {"PYTHONPATH": path}, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{tool.name} failed with {process.returncode}:\n{log.read().decode(errors='replace')}")
    return Run(seconds, usage.ru_maxrss / RSS_UNITS_A_MB)


def check(tool: Tool, size: Size) -> None:
    """Stop unless the tool made every bundle, and the sample as the model says."""
    count, found = tool.read(tool.output, size)
    if count != size.bundles:
        sys.exit(f"{tool.name} made {count} bundles, expected {size.bundles}")
    for bundle, actual in zip(sample(size), found, strict=True):
        expected = bundle.expected()
        if {section: actual.get(section) for section in expected} != expected:
            sys.exit(f"{tool.name} made another bundle of {envtree_folder(bundle)} than the model")


def play(tools: list[Tool], size: Size, rounds: int) -> dict[str, list[Run]]:
    """Run the tools in turns, each into a fresh output, and check what each made."""
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            runs[tool.name].append(measure(tool))
            check(tool, size)
            shutil.rmtree(tool.output) if tool.output.is_dir() else tool.output.unlink()
    return runs


def table(runs: dict[str, list[Run]], size: Size) -> list[str]:
    """One line a tool; the ratio is taken within each round, so that a busy machine weighs on both sides."""
    lines = [HEADER]
    for name, mine in runs.items():
        seconds = [run.seconds for run in mine]
        median = statistics.median(seconds)
        ratios = sorted(theirs.seconds / run.seconds for theirs, run in zip(runs["himl"], mine, strict=True))
        lines.append(
            f"{name:<10}{size.bundles / median:>10,.0f}{median:>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}"
            f"{max(run.peak_mb for run in mine):>9.0f}"
            f"   {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )
    return lines


def describe(size: Size, rounds: int, work: Path) -> list[str]:
    """What is compiled, and where."""
    bundle = next(sample(size)).expected()
    variables = len(bundle["env_vars"]) + sum(map(len, bundle["config"].values()))
    length = len(json.dumps(bundle, separators=(",", ":"))) / 1000
    shape = f"{size.projects} projects x {size.environments} environments x {size.teams} teams x {size.agents} agents"
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    return [
        f"{shape} = {size.bundles:,} bundles of {variables} variables, {length:.1f} kB as compact JSON",
        f"{rounds} rounds in turns, {machine}, in '{work.parent}'",
    ]


def main() -> None:
    """Generate the trees, run the tools, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help="where trees and outputs go (default: in memory, else on disk)")
    options = parser.parse_args()
    size = SIZES[options.size]
    in_memory = MEMORY_DISK if os.access(MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="envtree-benchmark-", dir=options.work or in_memory) as folder:
        work = Path(folder)
        tools = [envtree(work, size), himl(work, size)]
        print(*describe(size, options.rounds, work), "", sep="\n", flush=True)
        print(*table(play(tools, size, options.rounds), size), sep="\n")
    print("every bundle counted, a sample of each run equal to the model")


if __name__ == "__main__":
    main()
