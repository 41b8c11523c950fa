"""The benchmark's tree is reproducible, and envtree makes of it what the benchmark's model says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def generate(form: str, folder: Path, hash_seed: str = "0") -> None:
    command = [sys.executable, "-m", "tests.benchmarks.generate", str(folder), "--size", "XS", "--form", form]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed})


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_generated_tree_is_reproducible(tmp_path: Path) -> None:
    generate("envtree", tmp_path / "one", hash_seed="1")
    generate("envtree", tmp_path / "two", hash_seed="2")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_bundles_equal_the_model(tmp_path: Path) -> None:
    generate("envtree", tmp_path / "tree")
    generate("expected", tmp_path)
    expected = json.loads((tmp_path / "expected.json").read_bytes())
    out = tmp_path / "out"
    command = [sys.executable, "-m", "envtree", "compile", "-o", str(out)]
    finished = subprocess.run(command, check=False, cwd=tmp_path / "tree", capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr

    bundles = {
        path.parent.relative_to(out).as_posix(): json.loads(path.read_bytes())
        for path in out.glob("*/*/*/*/bundle.json")
    }
    found = {place: {section: bundle[section] for section in expected[place]} for place, bundle in bundles.items()}
    assert found == expected


def test_both_readers_of_secrets_are_measured() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.secrets", "--files", "6", "--rounds", "1", "--at-least"]
    finished = subprocess.run([*command, "2"], check=False, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert [line.split()[0] for line in finished.stdout.splitlines()[-3:]] == ["native", "process", "each"]
    finished = subprocess.run([*command, "1e9"], check=False, cwd=ROOT, capture_output=True, text=True)
    assert (finished.returncode, "times as fast" in finished.stderr) == (1, True)


def test_a_comparison_is_measured() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.diff", "--size", "XS", "--rounds", "1"]
    finished = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("one line of 'staging', 8 bundles: ")
