"""Test suites in packages of Debian, PyPI and npm: fetched by version and digest, and reused."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.support.programs import program
from tests.support.third_party import installed


class Package(NamedTuple):
    """A package of one of the registries, and the SHA-256 of its file."""

    registry: str
    name: str
    version: str
    sha256: str


# The source distribution contains the official suite, the wheel does not.
JSON_SCHEMA_SUITE = Package(
    "pypi", "jsonschema", "4.26.0", "0c26707e2efad8aa1bfc5b7ce170f3fccc2e4918ff85989ba9ffa9facb2be326"
)
KYAML = Package(
    "debian",
    "golang-k8s-sigs-kustomize-kyaml-dev",
    "0.19.0+ds-1",
    "bad134ced9a5897fb81605072466253946673c30a130612f853d441abd9d1ae7",
)


def unpack(package: Package) -> Path:
    """Return the folder with the files of a package; fetch it if it is not in the cache."""

    def install(folder: Path) -> None:
        fetch, extract = _REGISTRIES[package.registry]
        with tempfile.TemporaryDirectory() as download:
            fetch(package, Path(download))
            (file,) = Path(download).iterdir()
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            if digest != package.sha256:
                sys.exit(f"{file.name} has the SHA-256 {digest}, expected {package.sha256}")
            extract(file, folder)

    return installed(f"{package.registry}-{package.name}", package.sha256.encode(), install)


def _fetch_from_debian(package: Package, folder: Path) -> None:
    word = f"{package.name}={package.version}"
    # A new machine may have no lists of packages yet.
    if subprocess.run(["apt-cache", "show", word], capture_output=True, check=False).returncode:
        _run(folder, "apt-get", "update", "--quiet")
    _run(folder, "apt-get", "download", "--quiet", word)


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
        sys.exit(f"'{' '.join(command)}' failed:\n{result.stderr[-2000:]}")


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
