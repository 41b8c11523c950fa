"""The benchmark's trees are reproducible, a wrong result stops it, and its clock and arithmetic are correct."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import recorded, stages, tables
from tests.benchmarks.measure import Run, check, measure, measured
from tests.benchmarks.model import SIZES, Size, sample
from tests.benchmarks.profile import profile
from tests.benchmarks.tools import envtree, floor, with_secrets
from tests.test_architecture import STAGES

XS = SIZES["XS"]
ROOT = Path(__file__).parents[2]


def generate(form: str, folder: Path, hash_seed: str = "0") -> None:
    command = [sys.executable, "-m", "tests.benchmarks.generate", str(folder), "--size", "XS", "--form", form]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("form", ["envtree", "himl", "reclass", "jsonnet"])
def test_generated_tree_is_reproducible(form: str, tmp_path: Path) -> None:
    generate(form, tmp_path / "one", hash_seed="1")
    generate(form, tmp_path / "two", hash_seed="2")
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}


def test_bundles_equal_the_model(tmp_path: Path) -> None:
    generate("envtree", tmp_path / "tree")
    generate("expected", tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_bytes())
    out = tmp_path / "out"
    command = [sys.executable, "-m", "envtree", "compile", "-o", str(out)]
    process = subprocess.run(command, check=False, cwd=tmp_path / "tree", capture_output=True, text=True)
    assert process.returncode == 0, process.stderr

    bundles = {
        path.parent.relative_to(out).as_posix(): json.loads(path.read_bytes())
        for path in out.glob("*/*/*/*/bundle.json")
    }
    actual = {folder: {section: bundle[section] for section in expected[folder]} for folder, bundle in bundles.items()}
    assert actual == expected


def test_a_wrong_result_stops_the_benchmark(tmp_path: Path) -> None:
    tool = envtree(tmp_path, XS)
    measure(tool)
    check(tool)
    (first, *_) = sorted(tool.output.glob("*/*/*/*/bundle.json"))
    text = first.read_text("utf-8")
    first.write_text(text.replace('"ORG_NAME": "acme"', '"ORG_NAME": "acne"'), "utf-8")
    with pytest.raises(SystemExit, match="envtree made another bundle of p000/t000/a000/development than the model"):
        check(tool)
    first.write_text(text, "utf-8")
    check(tool)
    with pytest.raises(SystemExit, match="envtree made 8 bundles, expected 16"):
        check(tool._replace(size=Size(2, 2, 2, 2)))
    with pytest.raises(SystemExit, match="envtree failed with 2"):
        measure(tool._replace(command=[*tool.command, "--no-such-option"]))


def test_bundles_with_secrets_equal_the_model(tmp_path: Path) -> None:
    for tool in with_secrets(tmp_path, XS):
        measured(tool)
    secret = next(sample(XS)).expected_with_secrets()["env_vars"]
    plain = next(sample(XS)).expected()["env_vars"]
    assert len(secret.keys() - plain.keys()) == 6
    assert secret["TEAM_DATABASE_URL"] == f"postgres://app:{secret['TEAM_DATABASE_PASSWORD']}@p000-t000"


def test_every_stage_has_its_time(tmp_path: Path) -> None:
    assert [stage for stage, *_ in STAGES] == [
        name for name in stages.NAMES if name not in ("start", "decrypt", "other")
    ]
    tool, floor_tool = envtree(tmp_path, XS), floor(tmp_path, XS)
    profiles = profile([tool], floor_tool, 1)
    assert list(profiles["envtree"]) == ["python", *stages.NAMES]
    assert min(profiles["envtree"].values()) > 0
    assert list(profiles["floor"]) == ["python", "discover", "parse", "write"]


def test_one_stage_pays_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(ticks)))
    clock = stages.Clock()

    def numbers() -> Iterator[int]:
        yield from (1, 2)

    inner = clock.stream("inner", numbers)
    assert clock.call("outer", lambda: list(inner()))() == [1, 2]
    # The clock is read when a payer begins and ends: three times for the two numbers and the end, and once for all.
    assert clock.seconds == {"other": 1.0, "outer": 4.0, "inner": 3.0}


def test_growth_is_an_exponent() -> None:
    steps = [("XS", 1.0, SIZES["XS"]), ("S", 2.0, Size(10, 1, 1, 1)), ("M", 101.0, Size(10, 10, 10, 1))]
    (line,) = tables.growth([(name, size, [Run(seconds, seconds, 0.0)]) for name, seconds, size in steps])
    assert line == (
        "envtree's time grows with the power of 0.85 (0.85 to 0.85) from S to M; "
        "its processor time, without what XS takes, of 1.00 (1.00 to 1.00)"
    )


def test_the_command_keeps_what_it_prints(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "benchmark.txt"
    options = ["--size", "XS", "--rounds", "1", "--peers", "--skip", "secrets"]
    command = [sys.executable, "-m", "tests.benchmarks", *options]
    process = subprocess.run([*command, "--keep", file], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (process.returncode, process.stderr) == (0, "")
    assert file.read_text("utf-8") == process.stdout
    assert [line.split()[0] for line in process.stdout.splitlines()[3:6]] == ["tool", "envtree", "floor"]
    assert "every bundle counted, a sample of each run equal to the model" in process.stdout


def test_both_readers_of_secrets_are_measured() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.secrets", "--files", "6", "--rounds", "1"]
    process = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert [line.split()[0] for line in process.stdout.splitlines()[-4:]] == ["native", "process", "sops,", "each"]


def test_ratios_are_compared_with_those_of_the_last_recorded_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "FILE", tmp_path / "recorded.json")
    assert recorded.compare("size S", {"himl": 3.0}) == ["himl: 3.00 times the processor time; not recorded before"]
    recorded.record("size S", {"himl": 4.0})
    recorded.record("size M", {"himl": 5.0})
    expected = "himl: 3.00 times the processor time; recorded 4.00, now 0.75 of it"
    assert recorded.compare("size S", {"himl": 3.0}) == [expected]


def test_a_comparison_is_measured() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.diff", "--size", "XS", "--rounds", "1", "--wait", "0"]
    process = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert [line.partition(":")[0] for line in process.stdout.splitlines()] == [
        "8 bundles, one line of",
        *("an agent, nothing known", "an agent, known", "an environment, nothing known", "an environment, known"),
    ]
