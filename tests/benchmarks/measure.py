"""Whole processes, run in turns, each answer held against the model."""

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
# This checkout, whatever is installed; the programs of the benchmark stand beside its tests.
SEARCH_PATH = os.pathsep.join(filter(None, [str(ROOT / "compiler"), str(ROOT), os.environ.get("PYTHONPATH")]))
RSS_UNITS_A_MB = 1024**2 if sys.platform == "darwin" else 1024


class Run(NamedTuple):
    """One whole process."""

    seconds: float
    cpu: float
    peak_mb: float


class Tool(NamedTuple):
    """A command over the tree in `folder`, and what it leaves in `output` as (count, sampled bundles).

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
    """Run the tool once from start to exit; its own peak memory is the kernel's figure."""
    environ = os.environ | {"PYTHONPATH": SEARCH_PATH, **tool.environ}
    # An installed program is compiled; so is this checkout from its second run on, if Python may keep what it compiles.
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
    """Stop unless the tool made every bundle, and the sample as the model says."""
    count, found = tool.read(tool.output, tool.size)
    if count != tool.size.bundles:
        sys.exit(f"{tool.name} made {count} bundles, expected {tool.size.bundles}")
    for bundle, actual in zip(sample(tool.size), found, strict=True) if found is not None else ():
        expected = tool.expected(bundle)
        if {section: actual.get(section) for section in expected} != expected:
            sys.exit(f"{tool.name} made another bundle of {'/'.join(bundle)} than the model")


def play(tools: list[Tool], rounds: int) -> dict[str, list[Run]]:
    """Run the tools in turns, each into a fresh output, and check what each made."""
    runs: dict[str, list[Run]] = {tool.name: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            runs[tool.name].append(measured(tool))
    return runs


def measured(tool: Tool) -> Run:
    """Run the tool once, check what it made, and remove it."""
    run = measure(tool)
    check(tool)
    shutil.rmtree(tool.output) if tool.output.is_dir() else tool.output.unlink()
    return run
