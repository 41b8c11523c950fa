"""Select the tests that a change affects, nearest first, as many as fit into a minute.

Near is what imports a changed module through few others, what mirrors its package, and, for everything that decides
what a tree compiles to, the cases and the naive model. The suite runs the rest.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.checks.environment import ROOT
from tests.checks.import_graph import distances, module_name

# Seconds of processor time: two processors for three quarters of a minute; the rest is for lint, types and start-up.
BUDGET = 80.0
# Estimates for a machine that has not run the suite yet: for each test, by what is in its file.
SECONDS_EACH = {"run_envtree|Vault|subprocess|Popen": 0.15, "": 0.03}
SECONDS_LEAST = 0.3
CASES = "tests/cases/test_cases.py"
# Packages whose modules decide what a tree compiles to, or what is reported for it.
LANGUAGE = re.compile(
    r"(compiler/envtree/(model|frontend|compile|output|engine|diagnostics|sources)/.*\.py|schema/.*json)$"
)
# What runs the language as a whole: the cases, and the comparison with the naive model.
WHOLE = (CASES, "tests/properties/test_organizations.py", "tests/properties/test_model.py")
# Files that no module imports, and the tests that read them.
READERS = (
    (r"compiler/envtree/diagnostics/pages/", ("tests/unit/diagnostics/",)),
    (r"schema/", ("tests/unit/frontend/test_schemas.py", "tests/end_to_end/test_language_reference.py")),
    (r"compiler/envtree/report/html/page/", ("tests/unit/report/", "tests/properties/test_html.py")),
    (r"compiler/.*\.(md|py)$", ("tests/test_architecture.py",)),
    (r"\.github/|examples/git(hub|lab)/|pyproject\.toml|\.ci/", ("tests/end_to_end/test_github.py", "tests/checks/")),
    (r".*\.md$|examples/", ("tests/end_to_end/test_readme.py", "tests/unit/queries/test_uses.py")),
    (r"tests/.*\.py$", ("tests/test_architecture.py",)),
)
FARTHEST = 99


class Selection(NamedTuple):
    """The test files and cases to run, as arguments of pytest, and how many test files are left out."""

    arguments: list[str]
    left_out: int


def changed_files(base: str) -> list[str]:
    """Return the files that differ from where this branch left a revision, new and uncommitted ones included."""
    fork = _git("merge-base", base, "HEAD").strip()
    paths = {*_git("diff", "--name-only", fork).splitlines()}
    return sorted(paths | {*_git("ls-files", "--others", "--exclude-standard").splitlines()})


def select(paths: list[str], budget: float = BUDGET) -> Selection:
    """Return the tests for some changed files."""
    ranks = rank(paths)
    costs = _costs()
    arguments: list[str] = []
    for path in sorted(ranks, key=lambda path: (ranks[path], costs.get(path, 0.0), path)):
        cost = costs.get(path, SECONDS_LEAST)
        if ranks[path] == 0 or cost <= budget:
            arguments.append(path)
            budget -= cost
    files = {path.partition("::")[0] for path in arguments}
    return Selection(arguments, len(costs.keys() - files))


def rank(paths: list[str]) -> dict[str, int]:
    """Return the test files that can be affected, with their distance from the change."""
    found: dict[str, int] = {}

    def add(path: str, distance: int) -> None:
        found[path] = min(distance, found.get(path, FARTHEST))

    near = distances(name for path in paths if (name := module_name(path)))
    for path, name in _test_modules().items():
        if name in near:
            add(path, near[name] * 2)
    for path in paths:
        for file, distance in _by_rules(path):
            add(file, distance)
    return found


def _by_rules(path: str) -> Iterator[tuple[str, int]]:
    """Yield the tests of a changed file that no import leads to."""
    tests = _test_modules()
    case = re.match(r"tests/cases/[^/]+/([^/]+)/", path)
    if case and (ROOT / case[0]).exists():
        yield f"{CASES}::test_case[{'/'.join(path.split('/')[2:4])}]", 0
        return
    for pattern, readers in READERS:
        if re.match(pattern, path):
            yield from ((file, 1) for file in tests if file.startswith(readers))
    if LANGUAGE.match(path):
        yield from ((file, 1 + place) for place, file in enumerate(WHOLE))
    parts = Path(path).with_suffix("").parts
    if path.endswith(".py") and parts[:2] == ("compiler", "envtree"):
        for file in tests:
            is_same_package = file.startswith((f"tests/unit/{parts[2]}/", f"tests/{parts[2]}/"))
            if _words(parts[3:]) & _words([Path(file).stem]):
                yield file, 1 if is_same_package else 2
            elif is_same_package:
                yield file, 3


def _words(names: Iterable[str]) -> set[str]:
    """Return the words of some names that say what a module is about."""
    return {word for name in names for word in name.split("_")} - {"", "init", "test", "to", "of", "by"}


def _test_modules() -> dict[str, str]:
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    paths = [file.relative_to(ROOT).as_posix() for file in files if "control_plane" not in file.parts]
    return {path: module_name(path) for path in paths}


def _costs() -> dict[str, float]:
    """Return the seconds of each test file in the last run of the suite, or an estimate."""
    measured: dict[str, float] = {}
    report = ROOT / "build/checks/suite.xml"
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            file = case.get("file", "")
            measured[file] = measured.get(file, 0.0) + float(case.get("time", 0))
    return {path: measured.get(path) or _estimate(path) for path in _test_modules()}


def _estimate(path: str) -> float:
    text = (ROOT / path).read_text("utf-8")
    each = next(seconds for pattern, seconds in SECONDS_EACH.items() if re.search(pattern, text))
    # Rows of tables are tests, too.
    count = len(re.findall(r"^ *def test_|^    \(|^    \[|^    pytest.param", text, re.MULTILINE))
    return max(SECONDS_LEAST, each * count)


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout
