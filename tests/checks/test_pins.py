"""The pins are complete: what a pinned package needs is pinned, too, in a version that it accepts."""

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.checks.environment import PINS, ROOT

ACTION = ROOT / ".github/actions/check"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    {"sys_platform": "linux", "platform_system": "Linux"},
    {"sys_platform": "darwin", "platform_system": "Darwin"},
)
TARGETS = [
    {"python_version": python, "python_full_version": f"{python}.0", "os_name": "posix", **platform}
    for python, platform in product(PYTHONS, PLATFORMS)
]
# What the pins contain beside the requirements of pyproject.toml: the audit and the list of a release's packages.
TOOLS = ("hatchling", "pip-audit", "cyclonedx-bom")


class Pin(NamedTuple):
    """A pinned version, and where it applies."""

    version: str
    marker: Marker | None

    def applies(self, target: dict[str, str]) -> bool:
        return self.marker is None or self.marker.evaluate(target)


def read_pins(file: Path) -> dict[str, Pin]:
    """Return the pins of a file by the normalised names of their packages."""
    lines = file.read_text("utf-8").replace("\\\n", "").splitlines()
    requirements = [Requirement(line.partition("--hash")[0]) for line in lines if line and not line.startswith("#")]
    return {
        canonicalize_name(requirement.name): Pin(str(requirement.specifier).removeprefix("=="), requirement.marker)
        for requirement in requirements
    }


@cache
def needs(name: str, version: str) -> tuple[Requirement, ...]:
    """Return what a package needs by its own metadata; nothing is known of one that is not for this machine."""
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return ()
    assert distribution.version == version, f"{name} {distribution.version} is installed, and {version} pinned"
    return tuple(map(Requirement, distribution.requires or ()))


def unpinned(roots: Iterable[Requirement], pins: dict[str, Pin], target: dict[str, str]) -> Iterator[str]:
    """Yield what the roots need on a target and the pins lack, directly or through other packages."""
    waiting = [(requirement, "pyproject.toml") for requirement in roots]
    reached: set[tuple[str, str]] = set()
    while waiting:
        requirement, origin = waiting.pop()
        name = canonicalize_name(requirement.name)
        pin = pins.get(name)
        if pin is None or not pin.applies(target):
            yield f"{origin} needs {requirement}, which is not pinned for Python {target['python_version']}"
        elif not requirement.specifier.contains(pin.version, prereleases=True):
            yield f"{origin} needs {requirement}, and {pin.version} is pinned"
        else:
            for extra in ("", *requirement.extras):
                if (name, extra) not in reached:
                    reached.add((name, extra))
                    found = needs(name, pin.version)
                    environ = {**target, "extra": extra}
                    waiting += [(r, name) for r in found if r.marker is None or r.marker.evaluate(environ)]


def project_requirements(*extras: str) -> list[Requirement]:
    """Return what pyproject.toml needs, to build and to run with some extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"]
    names = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    return list(map(Requirement, [*names, *(name for extra in extras for name in optional[extra])]))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target['python_version']}-{target['sys_platform']}")
def test_everything_that_the_tests_install_is_pinned(target: dict[str, str]) -> None:
    roots = [*project_requirements("test"), *map(Requirement, TOOLS)]
    assert sorted(unpinned(roots, read_pins(PINS), target)) == []


@pytest.mark.parametrize("extra", ["", "sops", "kubiya"])
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target['python_version']}-{target['sys_platform']}")
def test_everything_that_the_actions_install_is_pinned(target: dict[str, str], extra: str) -> None:
    pins = read_pins(ACTION / "requirements.txt")
    if extra:
        pins |= read_pins(ACTION / f"requirements-{extra}.txt")
    roots = project_requirements(*([extra] if extra else []))
    assert sorted(unpinned(roots, pins, target)) == []


def test_a_package_has_one_version_in_all_files() -> None:
    versions: dict[str, set[str]] = {}
    for file in (PINS, *ACTION.glob("requirements*.txt")):
        for name, pin in read_pins(file).items():
            versions.setdefault(name, set()).add(pin.version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_a_missing_and_a_wrong_pin_are_named() -> None:
    target, roots = TARGETS[0], [Requirement("pytest-cov>=6")]
    complete = read_pins(PINS)
    lacking = {name: pin for name, pin in complete.items() if name != "coverage"}
    (line,) = unpinned(roots, lacking, target)
    assert re.fullmatch(r"pytest-cov needs coverage\[toml\]>=\S+, which is not pinned for Python 3\.11", line)
    (line,) = unpinned(roots, complete | {"coverage": Pin("1.0", None)}, target)
    assert line.endswith("and 1.0 is pinned")
