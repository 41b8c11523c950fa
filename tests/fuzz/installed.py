"""The fuzzer, which is no part of the extra `test` because few machines can install it; running this module does."""

import subprocess
import sys

from tests.checks.environment import INSTALL, ROOT

if __name__ == "__main__":
    pins = str(ROOT / ".ci/fuzz/requirements.txt")
    subprocess.run([sys.executable, *INSTALL, "--require-hashes", "-r", pins], check=True)
