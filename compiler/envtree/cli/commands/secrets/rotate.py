"""`envtree secrets rotate`: new data keys, file by file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit
from envtree.cli.support.secrets_session import Desk, Stopped, open_desk
from envtree.diagnostics.finding_json import finding_data
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable import printable
from envtree.diagnostics.printable_documents import json_document
from envtree.frontend.link.readers import readers_of
from envtree.model.diagnostic import Failure, Refusal
from envtree.model.secrets_file import DecryptError
from envtree.model.source import Kind
from envtree.report import plural, stopped
from envtree.secrets.edit.reading import UnreadableError
from envtree.secrets.edit.rotating import Rotated, rotated
from envtree.secrets.sops.pooled import pooled
from envtree.system import atomic_files as exchange


class Options(NamedTuple):
    """The command line."""

    directory: Path
    files: tuple[str, ...]
    form: str
    color: str


class _Report(NamedTuple):
    """What has become of one file."""

    path: str
    done: Rotated | None
    findings: tuple[Finding, ...] = ()
    code: Exit = Exit.OK


def run(options: Options) -> Exit:
    """Rotate the files, each on its own: what fails stays as it is."""
    try:
        desk = open_desk(options.directory, options.color)
    except Stopped:
        return Exit.FOUND
    paths = list(dict.fromkeys(map(desk.existing, options.files))) if options.files else _all(desk)
    reports = []
    for report in _reports(desk, paths):
        reports.append(report)
        if options.form == "text":
            desk.tell(report.findings)
            out(f"{_told(report.path, report.done)}\n" if report.done else "")
    if options.form == "json":
        out(json_document({"envtree": "1", "files": [_data(report) for report in reports]}))
    else:
        count = sum(report.done is not None for report in reports)
        err(f"rotated {count} of {plural(len(paths), 'file')}\n")
    return max((report.code for report in reports), default=Exit.OK)


def _all(desk: Desk) -> list[str]:
    return [path for path, one in desk.run.files.items() if one.location.kind is Kind.SECRETS]


def _reports(desk: Desk, paths: list[str]) -> Iterator[_Report]:
    """One report for each file, in their order, as soon as it is there."""
    with pooled(desk.writer.program.stop) as pool:
        yield from pool.map(lambda path: _rotate(desk, path), paths)


def _rotate(desk: Desk, path: str) -> _Report:
    try:
        before = desk.load(path)
        readers = readers_of(desk.workspace, before.file.location.project)
        done = rotated(before, readers, desk.writer)
        exchange.replace(desk.tree.root, path, before.data, done.sealed.data)
        return _Report(path, done)
    except UnreadableError as error:
        return _Report(path, None, desk.findings(error), Exit.FOUND)
    except (DecryptError, Refusal) as wrong:
        return _Report(path, None, stopped(wrong).findings, Exit.FOUND)
    except Failure as failure:
        return _Report(path, None, stopped(failure).findings, Exit.MACHINE)


def _told(path: str, done: Rotated) -> str:
    words = [f"{path}: new data key for {plural(done.readers, 'reader')}"]
    words += [f"added {', '.join(done.added)}"] if done.added else []
    words += [f"removed {', '.join(done.removed)}"] if done.removed else []
    return printable("; ".join(words))


def _data(report: _Report) -> dict[str, Any]:
    done = report.done
    return {
        "path": report.path,
        "rotated": done is not None,
        "readers": done.readers if done else None,
        "added": list(done.added) if done else [],
        "removed": list(done.removed) if done else [],
        "findings": [finding_data(finding) for finding in report.findings],
    }
