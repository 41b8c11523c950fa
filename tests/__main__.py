"""Run the checks of a change: `python tests` for the default sessions, `python tests SESSION…` for others."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# CI reads the output of the benchmark from this file.
BENCHMARK = ROOT / "build" / "benchmark.txt"
# What pytest needs to run with the settings of pyproject.toml, in an environment without the extra `test`.
_PYTEST = ("pytest", "pytest-timeout", "hypothesis")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command with the programs of this virtual environment; if it fails, exit with its exit code."""
    print("$", *command, flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    result = subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, "PATH": path}, check=False)
    if result.returncode:
        sys.exit(result.returncode)


def python(*arguments: str | Path) -> None:
    """Run a module with this Python."""
    run(sys.executable, "-m", *arguments)


def lint() -> None:
    """Check style and likely mistakes."""
    python("ruff", "check", ".")
    python("ruff", "format", "--check", ".")


def types() -> None:
    """Check the types of the program and its tests."""
    python("mypy")


def without_network(*arguments: str) -> None:
    """Run tests without a network except loopback, if this machine permits it; print whether it does."""
    if not (ROOT / ".ci/node_modules").exists():
        run("npm", "ci", "--silent", "--prefix", ROOT / ".ci")
    python("tests.support.cut_off", sys.executable, "-m", "pytest", "-q", "-n", "auto", *arguments)


def suite() -> None:
    """Run all tests except the slow ones."""
    without_network()


def coverage() -> None:
    """Run the same tests and report lines that are not covered; this takes half as long again."""
    without_network("--cov", "--cov-report=term")


def slow() -> None:
    """Run long and hostile tests: random trees, kills at random moments, damaged files, a browser, GitHub actions."""
    without_network("-m", "slow")
    python("pytest", "-q", "-m", "registry")


def wheel() -> None:
    """Run the cases with the wheel, installed in an environment without access to the checkout."""
    with tempfile.TemporaryDirectory() as folder:
        python("build", "--outdir", folder, ".")
        venv.create(Path(folder, "venv"), with_pip=True)
        venv_python = Path(folder, "venv", "bin", "python")
        wheel_file = next(Path(folder).glob("*.whl"))
        run(venv_python, "-m", "pip", "install", "-q", wheel_file, *_PYTEST, "pyyaml")
        code = "import envtree, sys; sys.exit('site-packages' not in envtree.__file__)"
        run(venv_python, "-c", code, cwd=Path(folder))
        run(venv_python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests/cases/test_cases.py")


def fuzz() -> None:
    """Fuzz each part that reads foreign input for ten minutes."""
    python("tests.fuzz", "--seconds", "600")


def lowest() -> None:
    """Test with the oldest versions that pyproject.toml allows."""
    requirements = ROOT / ".ci/lowest/requirements.txt"
    with_packages("--require-hashes", "--only-binary", ":all:", "-r", requirements)


def newest() -> None:
    """Test with the newest versions that pyproject.toml allows, including those released since they were pinned."""
    with_packages(f"{ROOT}[native,watch,kubiya]")


def with_packages(*requirements: str | Path) -> None:
    """Run the cases, and the tests that depend most on other packages, with the given arguments of `pip install`."""
    files = (
        *(
            "cases/test_cases",
            "unit/frontend/test_parse",
            "unit/frontend/test_validate",
            "unit/compile/test_expressions",
        ),
        *("unit/compile/test_bundle_lint", "unit/compile/test_merge", "unit/compile/test_policy_unknowns"),
    )
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        venv_python = Path(folder, "bin", "python")
        run(venv_python, "-m", "pip", "install", "-q", *requirements)
        run(venv_python, "-m", "pip", "install", "-q", "--no-deps", ROOT)
        run(venv_python, "-m", "pip", "install", "-q", *_PYTEST)
        run(venv_python, "-m", "pip", "check")
        tests = [ROOT / "tests" / f"{name}.py" for name in files]
        run(venv_python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def audit() -> None:
    """Check the pinned packages for known vulnerabilities."""
    for path in sorted([*(ROOT / ".ci").glob("requirements.txt"), *ROOT.glob(".github/actions/*/requirements*.txt")]):
        python("pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", path)


def benchmark() -> None:
    """Compare the results of envtree and its peers at size S with the model; record the times without judging them."""
    python("tests.benchmarks", "--size", "S", "--keep", BENCHMARK)


def decrypting() -> None:
    """Check that the native reader gives the results of sops, in at most a fifteenth of its processor time."""
    python("tests.benchmarks.secrets", "--files", "100", "--at-least", "15")


def control_plane() -> None:
    """Test with the real control plane, on loopback, with a real PostgreSQL; install them if they are missing."""
    python("pytest", "-q", "-m", "control_plane", "tests/end_to_end/control_plane")


def foreign() -> None:
    """Compare with third-party test suites and programs; differences must be listed with a reason."""
    python("tests.conformance")


SESSIONS: dict[str, Callable[[], None]] = {
    "lint": lint,
    "types": types,
    "suite": suite,
    "coverage": coverage,
    "wheel": wheel,
    "slow": slow,
    "benchmark": benchmark,
    "decrypting": decrypting,
    "control-plane": control_plane,
    "foreign": foreign,
    "fuzz": fuzz,
    "lowest": lowest,
    "newest": newest,
    "audit": audit,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or ("lint", "types", "suite"):
        print(f"== {name}", flush=True)
        SESSIONS[name]()
