"""Fuzz: `python -m tests.fuzz --seconds 600` for all targets, `python -m tests.fuzz TARGET…` for some.

An input that makes a target fail is saved in `found/`, and becomes a case of the ordinary tests.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("loader", "sealed", "expression", "selectors", "merging", "encoders", "differences")
# The limits of an input, in seconds, megabytes and bytes; Python refuses to parse a number of that length.
_LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192")


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one target in this process, and never return."""
    try:
        import atheris
    except ImportError:
        sys.exit("the fuzzer is not installed: pip install --no-deps --require-hashes -r .ci/fuzz/requirements.txt")
    # Only modules that are imported from here on are instrumented.
    with atheris.instrument_imports(include=["envtree"]):
        from tests.fuzz.targets import TARGETS, seeds
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed{number}").write_bytes(seed)
    crash_folder = HERE / "found" / name
    crash_folder.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [name, str(corpus), f"-max_total_time={seconds}", f"-artifact_prefix={crash_folder}/", *_LIMITS], TARGETS[name]
    )
    atheris.Fuzz()


def main() -> None:
    """Run each target in its own process, because a crash ends the process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="TARGET", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        fuzz(options.names[0], options.seconds, options.inside)
    failed = []
    for name in options.names or NAMES:
        print(f"== {name}", flush=True)
        with tempfile.TemporaryDirectory() as corpus:
            command = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(options.seconds), "--inside", corpus]
            if subprocess.run(command, check=False).returncode:
                failed.append(name)
    sys.exit(f"these fail, see tests/fuzz/found: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
