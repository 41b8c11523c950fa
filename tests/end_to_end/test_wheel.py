"""The wheel contains the package and the schemas, and nothing else; two builds give the same bytes."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(out: Path, source: Path = ROOT, kind: str = "wheel") -> Path:
    # Without isolation no registry is needed; `python tests wheel` builds in isolation, as users do.
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.iterdir())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_every_module_and_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT / "compiler").as_posix(): path.read_bytes()
        for path in (ROOT / "compiler" / "envtree").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    schemas = {
        f"envtree/{path.relative_to(ROOT).as_posix()}": path.read_bytes()
        for path in (ROOT / "schema").rglob("*")
        if path.is_file()
    }
    assert contents == package | schemas


def test_t95_two_builds_are_equal(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


@pytest.mark.slow
def test_t95_where_when_and_by_whom_it_is_built_makes_no_difference(wheel: Path, tmp_path: Path) -> None:
    """Copy the tracked files with other permissions and times, and build the wheel from the source archive."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    copy = tmp_path / "copy"
    for name in map(os.fsdecode, listed.split(b"\0")[:-1]):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod((ROOT / name).stat().st_mode & 0o700)
        os.utime(target, (1, 1))
    first, second = build(tmp_path / "one", kind="sdist"), build(tmp_path / "two", copy, "sdist")
    assert first.read_bytes() == second.read_bytes()
    shutil.unpack_archive(second, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert build(tmp_path / "three", unpacked).read_bytes() == wheel.read_bytes()
