"""Fuzz: `python -m tests.fuzz --seconds 600` for all targets, `python -m tests.fuzz TARGET…` for some.

An input that makes a target fail is kept in `found/`, where the ordinary tests find it for ever.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("loader", "sealed", "expression", "selectors", "merging", "encoders", "differences")
# What an input may take, in seconds, megabytes and bytes; of numbers that fill it Python reads none.
_LIMITS = ("-timeout=20", "-rss_limit_mb=2048", "-max_len=8192")


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one target in this process, which does not come back."""
    try:
        import atheris
    except ImportError:
        sys.exit("the fuzzer is not installed: pip install --require-hashes -r .ci/fuzz/requirements.txt")
    # It watches what is imported from here on.
    with atheris.instrument_imports(include=["envtree"]):
        from tests.fuzz.targets import TARGETS, seeds
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed{number}").write_bytes(seed)
    found = HERE / "found" / name
    found.mkdir(parents=True, exist_ok=True)
    atheris.Setup(
        [name, str(corpus), f"-max_total_time={seconds}", f"-artifact_prefix={found}/", *_LIMITS], TARGETS[name]
    )
    atheris.Fuzz()


def main() -> None:
    """Each target in a process of its own, for the crash of one ends its process."""
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
