"""The wheel holds the package and the schemas, file by file, and nothing else; two builds give the same bytes."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def build(out: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env={"SOURCE_DATE_EPOCH": "1700000000", **_path()})
    return next(out.glob("*.whl"))


def _path() -> dict[str, str]:
    import os

    return dict(os.environ)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


def test_the_wheel_has_every_module_and_schema(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
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
    assert found == package | schemas


def test_t95_two_builds_are_equal(wheel: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == wheel.read_bytes()
