"""Implementation of `envtree secrets rotate`: rotate the data keys of secrets files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.secrets_session import CommandStoppedError, SecretsSession, open_secrets_session
from envtree.diagnostics.finding_json import finding_data
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable import printable
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import error_report, plural
from envtree.frontend.link.declared_readers import project_readers
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.model.secrets_file import DecryptError
from envtree.model.source import Kind
from envtree.secrets.edit.key_rotation import KeyRotation, rotate_data_key
from envtree.secrets.edit.sops_document import UnreadableError
from envtree.system.atomic_files import replace_file
from envtree.system.console import err, out
from envtree.system.thread_pool import thread_pool


class SecretsRotateOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    files: tuple[str, ...]
    form: str
    color: str


class _FileReport(NamedTuple):
    """The rotation of one file, or the findings that prevented it."""

    path: str
    rotation: KeyRotation | None
    findings: tuple[Finding, ...] = ()
    code: ExitCode = ExitCode.OK


def run(options: SecretsRotateOptions) -> ExitCode:
    """Rotate the files independently; a file that fails is unchanged."""
    try:
        session = open_secrets_session(options.directory, options.color)
    except CommandStoppedError:
        return ExitCode.FAILURE
    paths = (
        list(dict.fromkeys(map(session.resolve_existing, options.files)))
        if options.files
        else _all_secrets_files(session)
    )
    reports = []
    for report in _rotate_files(session, paths):
        reports.append(report)
        if options.form == "text":
            session.print_findings(report.findings)
            out(f"{_describe_rotation(report.path, report.rotation)}\n" if report.rotation else "")
    if options.form == "json":
        out(json_document({"envtree": "1", "files": [_report_data(report) for report in reports]}))
    else:
        count = sum(report.rotation is not None for report in reports)
        err(f"rotated {count} of {plural(len(paths), 'file')}\n")
    return max((report.code for report in reports), default=ExitCode.OK)


def _all_secrets_files(session: SecretsSession) -> list[str]:
    return [path for path, file in session.run.files.items() if file.location.kind is Kind.SECRETS]


def _rotate_files(session: SecretsSession, paths: list[str]) -> Iterator[_FileReport]:
    """Yield the report of each file, in order, as soon as it is available."""
    with thread_pool(session.writer.program.stop) as pool:
        yield from pool.map(lambda path: _rotate_file(session, path), paths)


def _rotate_file(session: SecretsSession, path: str) -> _FileReport:
    try:
        before = session.load(path)
        readers = project_readers(session.workspace, before.file.location.project)
        rotation = rotate_data_key(before, readers, session.writer)
        replace_file(session.tree.root, path, before.data, rotation.sealed.data)
        return _FileReport(path, rotation)
    except UnreadableError as error:
        return _FileReport(path, None, session.unreadable_findings(error), ExitCode.FAILURE)
    except (DecryptError, RefusedError) as error:
        return _FileReport(path, None, error_report(error).findings, ExitCode.FAILURE)
    except MachineError as error:
        return _FileReport(path, None, error_report(error).findings, ExitCode.MACHINE_ERROR)


def _describe_rotation(path: str, rotation: KeyRotation) -> str:
    parts = [f"{path}: new data key for {plural(rotation.reader_count, 'reader')}"]
    parts += [f"added {', '.join(rotation.added)}"] if rotation.added else []
    parts += [f"removed {', '.join(rotation.removed)}"] if rotation.removed else []
    return printable("; ".join(parts))


def _report_data(report: _FileReport) -> dict[str, Any]:
    rotation = report.rotation
    return {
        "path": report.path,
        "rotated": rotation is not None,
        "readers": rotation.reader_count if rotation else None,
        "added": list(rotation.added) if rotation else [],
        "removed": list(rotation.removed) if rotation else [],
        "findings": [finding_data(finding) for finding in report.findings],
    }
