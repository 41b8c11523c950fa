"""Third-party programs and test suites with which envtree is compared; running this module installs them."""

from pathlib import Path

from tests.conformance.packages import JSON_SCHEMA_SUITE, KYAML, unpack
from tests.support.third_party import python_with

ORACLES = Path(__file__).parent / "oracles"


def python_of(peer: str) -> Path:
    """Return an interpreter with a peer."""
    return python_with(f"oracle-{peer}", ORACLES / f"{peer}-requirements.txt")


if __name__ == "__main__":
    for file in sorted(ORACLES.glob("*-requirements.txt")):
        print(python_of(file.name.removesuffix("-requirements.txt")))
    for package in (JSON_SCHEMA_SUITE, KYAML):
        print(unpack(package))
