"""Check the pinned packages for known vulnerabilities."""

import subprocess
import sys

from tests.checks.environment import PINS, ROOT


def main() -> None:
    """Check each file of pins, and exit with 1 if any has a finding."""
    options = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "-r")
    files = [PINS, *sorted(ROOT.glob(".github/actions/*/requirements*.txt"))]
    command = [sys.executable, "-m", "pip_audit", *options]
    # All files are checked, also after a finding.
    codes = [subprocess.run([*command, str(file)], check=False).returncode for file in files]
    sys.exit(any(codes))


if __name__ == "__main__":
    main()
