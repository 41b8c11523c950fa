"""Run the checks of a change: `python tests` runs what every change has to pass, and installs what that needs.

gate     what a pull request and .ci/run check
changed  only what a change since --base can affect, in about a minute
full     everything, with the large counts, as at night and before a release
SESSION  one or more of the sessions below; pytest gets the arguments that follow `--`
"""

import argparse
import random
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[0] = str(ROOT)

from tests.checks import environment, programs  # noqa: E402 -- found by the path above
from tests.checks.changed import changed_files, select  # noqa: E402
from tests.checks.runner import LOGS, Runner  # noqa: E402
from tests.checks.sessions import DEFAULT, FULL, GATE, SESSIONS  # noqa: E402
from tests.checks.summary import format_table  # noqa: E402

GROUPS = {"gate": GATE, "full": FULL, "changed": DEFAULT}


def main() -> int:
    """Install what is missing, run the sessions, and return the exit code."""
    options = _options()
    if options.programs:
        print(*format_table([programs.HEADER, *programs.rows()]), sep="\n")
        return 0
    words = options.sessions or DEFAULT
    print(f"Python {sys.version.split()[0]}, checks: {' '.join(words)}", flush=True)
    names = [name for word in words for name in GROUPS.get(word, (word,))]
    _prepare(names)
    seed = random.randrange(2**32) if options.seed is None else options.seed
    if "changed" in words:
        return _run_changed(options, seed)
    return Runner(seed, options.arguments, full="full" in words, logs=options.logs).run(names)


def _run_changed(options: argparse.Namespace, seed: int) -> int:
    """Run lint, types and the tests that a change can affect."""
    paths = changed_files(options.base)
    selection = select(paths)
    names = DEFAULT if selection.arguments else DEFAULT[:2]
    print(f"{len(paths)} changed files since {options.base}, {selection.left_out} test files left out", flush=True)
    return Runner(seed, [*selection.arguments, *options.arguments], logs=options.logs).run(names)


def _prepare(names: list[str]) -> None:
    """Install programs and packages, side by side, and go on with the Python of `.venv`."""
    with ThreadPoolExecutor() as pool:
        problem = pool.submit(programs.ensure_programs, names)
        pool.submit(environment.install_packages).result()
    if problem.result():
        sys.exit(problem.result())
    environment.enter()


def _options() -> argparse.Namespace:
    lines = [f"  {name:<15}{session.purpose}" for name, session in SESSIONS.items()]
    parser = argparse.ArgumentParser(
        prog="python tests",
        description=__doc__,
        epilog="\n".join(["sessions:", *lines]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = [*GROUPS, *SESSIONS]
    parser.add_argument("sessions", nargs="*", metavar="SESSION", help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--programs", action="store_true", help="list the programs that the tests need")
    parser.add_argument("--base", default="main", metavar="REV", help="what `changed` compares with (default: main)")
    parser.add_argument("--logs", type=Path, default=LOGS, metavar="DIR", help="default: build/checks")
    parser.add_argument("--seed", type=int, help="the order of the tests and their random values")
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:at])
    options.arguments = sys.argv[at + 1 :]
    if unknown := [word for word in options.sessions if word not in words]:
        parser.error(f"there is no session '{unknown[0]}', expected one of {', '.join(words)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
