"""Run the cases with the built wheel, in an environment that cannot import from the checkout."""

import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

from tests.checks.environment import INSTALL, ROOT
from tests.checks.runner import LOGS


def main() -> None:
    """Build the wheel without a registry, install it, and run the cases."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, ROOT)
        venv.create(folder / "venv")
        python = folder / "venv" / "bin" / "python"
        _run(sys.executable, "-m", "pip", "--python", python, *INSTALL[2:], "--no-index", *folder.glob("*.whl"))
        _add_dependencies(python)
        _run(python, "-P", "-c", "import envtree, sys; sys.exit('venv' not in envtree.__file__)")
        options = [
            "-q",
            "-n",
            "auto",
            "-p",
            "no:cacheprovider",
            "-o",
            "junit_family=xunit1",
            f"--junitxml={LOGS / 'wheel.xml'}",
        ]
        _run(python, "-P", "-m", "pytest", *options, ROOT / "tests/cases/test_cases.py")


def _add_dependencies(python: Path) -> None:
    """Make the pinned packages of this environment importable, but not the checkout, which is not in their folder."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    target = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    Path(target, "pinned.pth").write_text("".join(f"{folder}\n" for folder in sorted(folders)), encoding="utf-8")


def _run(*command: str | Path) -> None:
    result = subprocess.run([str(word) for word in command], cwd=tempfile.gettempdir(), check=False)
    if result.returncode:
        sys.exit(result.returncode)


if __name__ == "__main__":
    main()
