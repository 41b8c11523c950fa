"""The summary: one table of all sessions, then each failed test, and the tests that were left out."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

from tests.checks.programs import install_command
from tests.checks.results import Result


def write_summary(results: Sequence[Result], seed: int) -> Iterator[str]:
    """Yield the lines of the summary."""
    failures = [failure for result in results for failure in result.failures]
    for failure in failures:
        yield from ("", f"FAILED {failure.name}", *(f"    {line}" for line in failure.lines))
        yield f"  repeat it: {failure.repeat}"
    yield from ("", *format_table([("session", "passed", "failed", "left out", "time"), *map(_row, results)]))
    yield from _left_out(results)
    yield f"the order of the tests has the seed {seed}; logs are in build/checks/"
    yield f"{len(failures)} failed" if failures else "all passed"


def _row(result: Result) -> tuple[str, ...]:
    counts = (result.passed, len(result.failures), result.left_out.total())
    minutes, seconds = divmod(round(result.seconds), 60)
    return (result.name, *map(str, counts), f"{minutes}:{seconds:02}")


def _left_out(results: Iterable[Result]) -> Iterator[str]:
    """Yield a table of the programs that this machine lacks."""
    counts: Counter[str] = sum((result.left_out for result in results), Counter())
    if counts:
        rows = [(name, str(count), install_command(name)) for name, count in sorted(counts.items())]
        yield from ("", *format_table([("missing program", "tests left out", "install it with"), *rows]), "")


def format_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def add_job_summary(results: Sequence[Result]) -> None:
    """Add the table and the failures to the summary of a job on GitHub."""
    file = os.environ.get("GITHUB_STEP_SUMMARY")
    if not file:
        return
    lines = ["| session | passed | failed | left out | time |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(_row(result))} |" for result in results]
    for failure in (failure for result in results for failure in result.failures):
        lines += ["", f"**`{failure.name}`**", "", "```", *failure.lines, "```", f"`{failure.repeat}`"]
    with Path(file).open("a", encoding="utf-8") as output:
        output.write("\n".join(lines) + "\n")


def write_junit(result: Result, file: Path) -> None:
    """Write the report of a session that is no pytest."""
    suite = ElementTree.Element("testsuite", name=result.name, tests="1", failures=str(len(result.failures)))
    case = ElementTree.SubElement(suite, "testcase", classname=result.name, name=result.name)
    for failure in result.failures:
        ElementTree.SubElement(case, "failure", message=failure.name).text = "\n".join(failure.lines)
    ElementTree.ElementTree(suite).write(file, encoding="utf-8", xml_declaration=True)
