"""The virtual environment of the control plane, created once for each content of its requirements."""

from pathlib import Path

from tests.support.third_party import python_with

REQUIREMENTS = Path(__file__).parent / "requirements.txt"


def ensure_installed() -> Path:
    """Return the interpreter of the control plane; install it if it is missing."""
    # The first start compiles the byte code, and only of imported modules.
    return python_with("control-plane", REQUIREMENTS, "--require-hashes", "--no-compile")


if __name__ == "__main__":
    print(ensure_installed())
