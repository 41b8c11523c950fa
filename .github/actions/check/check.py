"""Run `envtree check`, and on request `envtree diff`, on a runner of GitHub: annotations, a summary, files, outputs.

It ends as the check does. Nothing here needs a permission: what a read-only token cannot do is left out.
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

from changes import environ, followed, save
from comment import LONGEST, Refused, comment, first_line
from markdown import markdown, stopped

# The runner drops a summary of more than 1,024 KiB.
_LONGEST_SUMMARY = 900 * 1024
_ANNOTATION = re.compile(r"::(error|warning|notice) ")
_NOTHING = re.compile("(?!)")
_MACHINE = 3


class Check(NamedTuple):
    """How a check ended, and its report, if it made one."""

    code: int
    report: dict[str, Any] | None

    @property
    def result(self) -> str:
        """The verdict in one word."""
        return {0: "passed", 1: "failed"}.get(self.code, "error")

    def total(self, severity: str) -> str:
        """How many findings are of a severity; empty when that is not known."""
        return str(sum(one["severity"] == severity for one in self.report["findings"])) if self.report else ""

    def text(self, directory: str, limit: int, first: str = "") -> str:
        """What there is to say, as Markdown."""
        if self.report is None:
            return stopped(self.code, directory, first)
        return markdown(self.report, directory, limit, first)


def _flag(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() == "true"


def _lines(name: str) -> list[str]:
    return [line.strip() for line in os.environ.get(name, "").splitlines() if line.strip()]


def _program() -> str:
    return os.environ.get("ENVTREE") or "envtree"


def _command(directory: str, report: Path) -> list[str]:
    sarif = os.environ.get("SARIF_FILE", "")
    return [
        *(_program(), "-C", directory, "check"),
        *("--format", "github", "--report", f"json={report}"),
        *(["--report", f"sarif={sarif}"] if sarif else []),
        *(["--strict"] if _flag("STRICT") else []),
        *(f"--input={line}" for line in _lines("INPUTS")),
        *("--", *_lines("SELECTORS")),
    ]


def _run(directory: str, report: Path) -> Check:
    command = _command(directory, report)
    try:
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, env=environ())
    except OSError:
        _say(f"::error title=envtree::the program '{_plain(command[0])}' cannot be started")
        return Check(_MACHINE, None)
    _relay(done.stdout, _ANNOTATION)
    _relay(done.stderr, _NOTHING)
    try:
        return Check(done.returncode, json.loads(report.read_bytes()))
    except (OSError, ValueError):
        return Check(done.returncode, None)


def _compare(directory: str, file: Path) -> None:
    """Save what differs from the base, if there is one; a comparison that fails takes nothing from the check."""
    base = os.environ.get("BASE", "").strip()
    if not base:
        return
    try:
        done = save(_program(), directory, base, _lines("INPUTS"), file)
    except OSError:
        return
    _relay(done.stderr, _NOTHING)
    if not file.exists():
        _say("::warning title=envtree::what differs from the base is not told; the log of the step says why")


def _relay(output: bytes, commands: re.Pattern[str]) -> None:
    """Pass on commands of ours as they are, and all other lines so that the runner finds no command in them."""
    for line in filter(None, re.split(r"\r\n|\r|\n", output.decode("utf-8", "replace"))):
        _say(line if commands.match(line) else f"| {_plain(line)}")


def _plain(text: str) -> str:
    # This old form of a command is one wherever it stands.
    return text.replace("##[", "## [")


def _say(line: str) -> None:
    # The runner reads UTF-8, whatever the locale is.
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "replace"))


def _text(check: Check, directory: str, changes: Path, limit: int, first: str = "") -> str:
    """The findings, and what changes in all the room that they leave, which is a third at least."""
    if not changes.exists():
        return check.text(directory, limit, first)
    return followed(check.text(directory, limit * 2 // 3, first), _program(), changes, limit)


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
                end = secrets.token_hex(16)
                output.write(f"{name}<<{end}\n{value}\n{end}\n")


def _comment(text: str, first: str) -> None:
    try:
        comment(text, first)
    except Refused as refused:
        # So it is for every pull request from a fork, and no fault of anybody.
        _say(f"| no comment was written: {refused}; the summary of the job says the same")


def main() -> int:
    """Check the tree, and compare it; the exit code of `envtree check`."""
    directory = os.environ.get("DIRECTORY") or "."
    folder = Path(tempfile.mkdtemp(prefix="envtree-check-", dir=os.environ.get("RUNNER_TEMP")))
    report, comment_file, changes = (folder / name for name in ("envtree.json", "comment.md", "diff.json"))
    check, sarif = _run(directory, report), os.environ.get("SARIF_FILE", "")
    _compare(directory, changes)
    first = first_line(directory)
    text = _text(check, directory, changes, LONGEST, first)
    comment_file.write_text(text, encoding="utf-8")
    _summarize(_text(check, directory, changes, _LONGEST_SUMMARY))
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
        _comment(text, first)
    return 0 if check.code == 1 and _flag("EXIT_ZERO") else check.code


if __name__ == "__main__":
    sys.exit(main())
