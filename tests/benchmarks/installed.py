"""The peers that the benchmark measures; running this module installs them."""

from pathlib import Path

from tests.support.third_party import python_with

PEERS = Path(__file__).parent / "peers"


def python_of(peer: str) -> Path:
    """Return an interpreter with a peer, and no other packages."""
    return python_with(f"peer-{peer}", PEERS / f"{peer}-requirements.txt")


if __name__ == "__main__":
    for file in sorted(PEERS.glob("*-requirements.txt")):
        print(python_of(file.name.removesuffix("-requirements.txt")))
