"""Run `envtree check`, and on request `envtree diff`, on a GitHub runner: annotations, a summary, files and outputs.

The exit code is that of the check. Nothing here requires a permission: the comment, which needs one, is optional.
"""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from changes import append_diff, program_environ, save_diff
from comment import MAX_COMMENT, CommentError, comment_on_pull_requests, marker_line
from markdown import render_failure, render_report

# The runner drops a summary of more than 1,024 KiB.
_MAX_SUMMARY = 900 * 1024
_ANNOTATION = re.compile(r"::(error|warning|notice) ")
_NO_COMMAND = re.compile("(?!)")
_MACHINE_ERROR = 3


class Check(NamedTuple):
    """The exit code of a check, and its report if it wrote one."""

    code: int
    report: dict[str, Any] | None

    @property
    def result(self) -> str:
        """The verdict in one word."""
        return {0: "passed", 1: "failed"}.get(self.code, "error")

    def total(self, severity: str) -> str:
        """Return the number of findings of a severity; empty without a report."""
        return str(sum(finding["severity"] == severity for finding in self.report["findings"])) if self.report else ""

    def text(self, directory: str, limit: int, marker: str = "") -> str:
        """Return the report, or the failure, as Markdown."""
        if self.report is None:
            return render_failure(self.code, directory, marker)
        return render_report(self.report, directory, limit, marker)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() == "true"


def _lines(name: str) -> list[str]:
    return [line.strip() for line in os.environ.get(name, "").splitlines() if line.strip()]


def _program_path() -> str:
    return os.environ.get("ENVTREE") or "envtree"


def _command(directory: str, report: Path) -> list[str]:
    sarif = os.environ.get("SARIF_FILE", "")
    return [
        *(_program_path(), "-C", directory, "check"),
        *("--output-format", "github", "--report", f"json={report}"),
        *(["--report", f"sarif={sarif}"] if sarif else []),
        *(["--strict"] if _flag("STRICT") else []),
        *(f"--input={line}" for line in _lines("INPUTS")),
        *("--", *_lines("SELECTORS")),
    ]


def _run(directory: str, report: Path) -> Check:
    command = _command(directory, report)
    try:
        process = subprocess.run(
            command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=program_environ()
        )
    except OSError:
        _print_line(f"::error title=envtree::the program '{_neutralize(command[0])}' cannot be started")
        return Check(_MACHINE_ERROR, None)
    _relay(process.stdout, _ANNOTATION)
    _relay(process.stderr, _NO_COMMAND)
    try:
        return Check(process.returncode, json.loads(report.read_bytes()))
    except (OSError, ValueError):
        return Check(process.returncode, None)


def _compare(directory: str, file: Path) -> None:
    """Save the diff against the base, if there is one; a failed comparison does not change the check's result."""
    base = os.environ.get("BASE", "").strip()
    if not base:
        return
    try:
        process = save_diff(_program_path(), directory, base, _lines("INPUTS"), file)
    except OSError:
        return
    _relay(process.stderr, _NO_COMMAND)
    if not file.exists():
        _print_line("::warning title=envtree::what differs from the base is not told; the log of the step says why")


def _relay(output: bytes, commands: re.Pattern[str]) -> None:
    """Print the runner commands of envtree unchanged, and all other lines so that they contain no command."""
    for line in filter(None, re.split(r"\r\n|\r|\n", output.decode("utf-8", "replace"))):
        _print_line(line if commands.match(line) else f"| {_neutralize(line)}")


def _neutralize(text: str) -> str:
    # The runner recognises this old form of a command anywhere in a line.
    return text.replace("##[", "## [")


def _print_line(line: str) -> None:
    # The runner reads UTF-8, whatever the locale is.
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "replace"))


def _text(check: Check, directory: str, changes: Path, limit: int, marker: str = "") -> str:
    """Return the findings, and the diff in the remaining room, which is at least a third."""
    if not changes.exists():
        return check.text(directory, limit, marker)
    return append_diff(check.text(directory, limit * 2 // 3, marker), _program_path(), changes, limit)


def _summarize(text: str) -> None:
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with open(path, "a", encoding="utf-8") as summary:
            summary.write(text)


def _output(outputs: dict[str, str]) -> None:
    path = os.environ.get("GITHUB_OUTPUT")
    if path:
        with open(path, "a", encoding="utf-8") as output:
            for name, value in outputs.items():
                delimiter = secrets.token_hex(16)
                output.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")


def _comment(text: str, marker: str) -> None:
    try:
        comment_on_pull_requests(text, marker)
    except CommentError as error:
        # Expected for every pull request from a fork, so it is not an error.
        _print_line(f"| no comment was written: {error}; the summary of the job says the same")


def main() -> int:
    """Check the tree and compare it; return the exit code of `envtree check`, or 0 with EXIT_ZERO for findings."""
    directory = os.environ.get("DIRECTORY") or "."
    folder = Path(tempfile.mkdtemp(prefix="envtree-check-", dir=os.environ.get("RUNNER_TEMP")))
    report, comment_file, changes = (folder / name for name in ("envtree.json", "comment.md", "diff.json"))
    check, sarif = _run(directory, report), os.environ.get("SARIF_FILE", "")
    _compare(directory, changes)
    marker = marker_line(directory)
    text = _text(check, directory, changes, MAX_COMMENT, marker)
    comment_file.write_text(text, encoding="utf-8")
    _summarize(_text(check, directory, changes, _MAX_SUMMARY))
    _output(
        {
            "result": check.result,
            "exit-code": str(check.code),
            "errors": check.total("error"),
            "warnings": check.total("warning"),
            "report-file": str(report) if report.exists() else "",
            "comment-file": str(comment_file),
            "diff-file": str(changes) if changes.exists() else "",
            "sarif-file": sarif if sarif and os.path.exists(sarif) else "",
        }
    )
    if _flag("COMMENT"):
        _comment(text, marker)
    return 0 if check.code == 1 and _flag("EXIT_ZERO") else check.code


if __name__ == "__main__":
    sys.exit(main())
