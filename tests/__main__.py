"""Run what a change has to pass: `python tests` for all of it, `python tests SESSION…` for some."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Where CI looks for what a benchmark has printed.
BENCHMARK = ROOT / "build" / "benchmark.txt"


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command and end with its exit code if it fails; it sees the environment that this Python belongs to."""
    print("$", *command, flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run([str(word) for word in command], cwd=cwd, env={**os.environ, "PATH": path}, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def python(*arguments: str | Path) -> None:
    """Run a module with this Python."""
    run(sys.executable, "-m", *arguments)


def lint() -> None:
    """Style and likely mistakes."""
    python("ruff", "check", ".")
    python("ruff", "format", "--check", ".")


def types() -> None:
    """Every type, in the program and in its tests."""
    python("mypy")


def without_network(*arguments: str) -> None:
    """Run tests where no network is but loopback, if this machine permits it; it is said which of both."""
    if not (ROOT / ".ci/node_modules").exists():
        run("npm", "ci", "--silent", "--prefix", ROOT / ".ci")
    python("tests.support.cut_off", sys.executable, "-m", "pytest", "-q", "-n", "auto", *arguments)


def suite() -> None:
    """All tests but the slow ones."""
    without_network()


def coverage() -> None:
    """The same, and which lines they never reach; to watch each line takes half as long again."""
    without_network("--cov", "--cov-report=term")


def slow() -> None:
    """Long and hostile runs: random trees, kills at random moments, damaged files; a browser, and the GitHub action."""
    without_network("-m", "slow")
    python("pytest", "-q", "-m", "registry")


def wheel() -> None:
    """The cases against the wheel, installed where no checkout can be seen."""
    with tempfile.TemporaryDirectory() as folder:
        python("build", "--outdir", folder, ".")
        venv.create(Path(folder, "venv"), with_pip=True)
        there = Path(folder, "venv", "bin", "python")
        built = next(Path(folder).glob("*.whl"))
        run(there, "-m", "pip", "install", "-q", built, "pytest", "hypothesis", "pyyaml")
        code = "import envtree, sys; sys.exit('site-packages' not in envtree.__file__)"
        run(there, "-c", code, cwd=Path(folder))
        run(there, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests/cases/test_cases.py")


def fuzz() -> None:
    """Ten minutes of inputs that nobody thought of, for each part that reads what others write."""
    python("tests.fuzz", "--seconds", "600")


def lowest() -> None:
    """The oldest versions that pyproject.toml allows."""
    pinned = ROOT / ".ci/lowest/requirements.txt"
    with_packages("--require-hashes", "--only-binary", ":all:", "-r", pinned)


def newest() -> None:
    """The newest versions that pyproject.toml allows, whatever came out since they were pinned."""
    with_packages(f"{ROOT}[native,watch,kubiya]")


def with_packages(*wanted: str | Path) -> None:
    """The cases, and what leans most on other packages, with what pip installs for some requirements."""
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
        there = Path(folder, "bin", "python")
        run(there, "-m", "pip", "install", "-q", *wanted)
        run(there, "-m", "pip", "install", "-q", "--no-deps", ROOT)
        run(there, "-m", "pip", "install", "-q", "pytest", "hypothesis")
        run(there, "-m", "pip", "check")
        tests = [ROOT / "tests" / f"{name}.py" for name in files]
        run(there, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


def audit() -> None:
    """Nothing is known against what is pinned."""
    for path in sorted([*(ROOT / ".ci").glob("requirements.txt"), *ROOT.glob(".github/actions/*/requirements*.txt")]):
        python("pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r", path)


def benchmark() -> None:
    """What envtree and its peers make at size S is what the model says; how long they take is kept, not judged."""
    python("tests.benchmarks", "--size", "S", "--keep", BENCHMARK)


def decrypting() -> None:
    """The native reader gives what sops gives, and takes a fiftieth of its processor time at most."""
    python("tests.benchmarks.secrets", "--files", "100", "--at-least", "50")


def control_plane() -> None:
    """Against the real control plane, on loopback, with a real PostgreSQL; it is installed where it is not yet."""
    python("pytest", "-q", "-m", "control_plane", "tests/end_to_end/control_plane")


def foreign() -> None:
    """Suites and programs that nobody here wrote agree with envtree; where they differ, the reason is listed."""
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
