"""Run whole processes in turns, and compare each answer with the model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.model import Bundle, Layer, Size, sample

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MEMORY_DISK = Path("/dev/shm")
# This checkout takes precedence over an installed envtree; the benchmark's programs are in the root too.
SEARCH_PATH = os.pathsep.join(filter(None, [str(ROOT / "compiler"), str(ROOT), os.environ.get("PYTHONPATH")]))
RSS_UNITS_A_MB = 1024**2 if sys.platform == "darwin" else 1024


class Run(NamedTuple):
    """The measurements of one process: seconds of the clock and of processors, and peak memory."""

    seconds: float
    cpu: float
    peak_mb: float


class Tool(NamedTuple):
    """A command over the tree in `folder`; `read` returns the number of bundles and a sample of them from `output`.

    A tool that makes no bundles, such as the floor, has no sample to compare.
    """

    name: str
    size: Size
    folder: Path
    command: list[str]
    output: Path
    read: Callable[[Path, Size], tuple[int, list[Layer] | None]]
    expected: Callable[[Bundle], Layer] = Bundle.expected
    environ: Mapping[str, str] = {}


def measure(tool: Tool) -> Run:
    """Run the tool once from start to exit; the peak memory is that of its own process, from the kernel."""
    environ = os.environ | {"PYTHONPATH": SEARCH_PATH, **tool.environ}
    # An installed program has byte code; this checkout has it from the second run on, if Python may write it.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        process = subprocess.Popen(tool.command, cwd=tool.folder, env=environ, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(f"{tool.name} failed with {process.returncode}:\n{log.read().decode(errors='replace')}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / RSS_UNITS_A_MB)


def check(tool: Tool) -> None:
    """Exit unless the tool made every bundle, and the sample equals the model."""
    count, sampled = tool.read(tool.output, tool.size)
    if count != tool.size.bundles:
        sys.exit(f"{tool.name} made {count} bundles, expected {tool.size.bundles}")
    for bundle, actual in zip(sample(tool.size), sampled, strict=True) if sampled is not None else ():
        expected = tool.expected(bundle)
        if {section: actual.get(section) for section in expected} != expected:
            sys.exit(f"{tool.name} made another bundle of {'/'.join(bundle)} than the model")


def play(tools: list[Tool], rounds: int) -> dict[str, list[Run]]:
    """Run the tools in turns, each into a new output, and check each output."""
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            runs[tool.name].append(measured(tool))
    return runs


def measured(tool: Tool) -> Run:
    """Run the tool once, check its output, and remove it."""
    run = measure(tool)
    check(tool)
    shutil.rmtree(tool.output) if tool.output.is_dir() else tool.output.unlink()
    return run
