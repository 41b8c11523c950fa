"""Run the tests that depend most on other packages with the oldest or the newest versions that are allowed."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.checks.environment import ROOT

REQUIREMENTS = {
    "lowest": (
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
        str(ROOT / ".ci/lowest/requirements.txt"),
    ),
    "newest": (f"{ROOT}[native,kubiya]",),
}
TESTS = (
    "cases/test_cases",
    "unit/frontend/test_parse",
    "unit/frontend/test_validate",
    "unit/compile/test_expressions",
    "unit/compile/test_bundle_lint",
    "unit/compile/test_merge",
    "unit/compile/test_policy_unknowns",
)
# What the tests import, and the plugins that the settings in pyproject.toml name.
TEST_PACKAGES = ("pytest", "pytest-randomly", "pytest-timeout", "hypothesis")


def main(kind: str) -> None:
    """Install the packages into an environment of their own, and run the tests."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder, "bin", "python")
        pip = (python, "-m", "pip", "--disable-pip-version-check")
        _run(*pip, "install", "-q", *REQUIREMENTS[kind])
        _run(*pip, "install", "-q", "--no-deps", ROOT)
        _run(*pip, "install", "-q", *TEST_PACKAGES)
        _run(*pip, "check")
        tests = [ROOT / "tests" / f"{name}.py" for name in TESTS]
        _run(python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def _run(*command: str | Path) -> None:
    result = subprocess.run([str(word) for word in command], cwd=ROOT, check=False)
    if result.returncode:
        sys.exit(result.returncode)


if __name__ == "__main__":
    main(sys.argv[1])
