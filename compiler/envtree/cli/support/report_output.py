"""The forms of a report, and reports in files beside the one on stdout."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import usage_error
from envtree.diagnostics.summary import RunReport
from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.model.tree_layout import SOURCE_FOLDERS, parse_file_name
from envtree.report.text import FileLines, render_skipped_checks, render_text
from envtree.system import disk

# Like references in the place of secrets, a report shows nothing that others must not read.
_FILE_BITS = disk.FILE_BITS["ref"]


class RenderOptions(NamedTuple):
    """What a form needs to know besides: `prefix` leads from the repository's root to the tree's."""

    repository_prefix: str = ""
    read_lines: FileLines = lambda path: ()
    strict: bool = False
    verbose: bool = False


class ReportFile(NamedTuple):
    """A report that goes into a file."""

    form: str
    path: Path

    def write(self, report: RunReport, render_options: RenderOptions) -> None:
        """Write the whole report; a Failure if it cannot be written."""
        replace_report(self.path, render_report(self.form, report, render_options))


def replace_report(path: Path, data: bytes) -> None:
    """Put a report in place of what is there, or leave that as it is; a Failure if it cannot be written."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            disk.create_file(str(staged), data, _FILE_BITS)
            os.replace(staged, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(staged)
    except OSError as error:
        raise MachineError("ET805", f"the report '{path}' cannot be written: {os_error_reason(error)}") from error


def report_files(requested: Sequence[tuple[str, Path]], root: Path) -> tuple[ReportFile, ...]:
    """The files that were asked for, each at a place that is fit for one."""
    seen: set[Path] = set()
    for _, path in requested:
        place = check_report_path(path, root, "--format prints a report")
        if place in seen:
            raise usage_error(f"two reports go to '{path}'", "give each a file of its own")
        seen.add(place)
    return tuple(ReportFile(form, path) for form, path in requested)


def check_report_path(path: Path, root: Path, hint: str) -> Path:
    """Where a report goes, if it may: into a regular file, and not among those that the tree is read from."""
    place = path.parent.resolve() / path.name
    if os.path.lexists(place) and (place.is_symlink() or not place.is_file()):
        raise usage_error(f"the report '{path}' is not a regular file", hint)
    if place.is_relative_to(root) and _is_tree_file(place.relative_to(root)):
        raise usage_error(f"the report '{path}' would lie among the tree's own files", "choose another place")
    return place


def write_report_files(files: Sequence[ReportFile], report: RunReport, render_options: RenderOptions) -> None:
    """Write a report into every file that takes one; the first Failure, when all have had their turn."""
    failures: list[MachineError] = []
    for file in files:
        try:
            file.write(report, render_options)
        except MachineError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


def render_report(form: str, report: RunReport, render_options: RenderOptions) -> bytes:
    """A report in a form, without colours."""
    return _RENDERERS[form](report, render_options)


def _is_tree_file(path: Path) -> bool:
    return path.parts[0] in SOURCE_FOLDERS or (len(path.parts) == 1 and parse_file_name(path.name) is not None)


def _render_text(report: RunReport, render_options: RenderOptions) -> bytes:
    told = render_text(report.findings, render_options.read_lines, color=False) + (
        render_skipped_checks(report.skipped_checks()) if render_options.verbose else ""
    )
    return told.encode()


# Each form is imported when somebody asks for it: most runs need one.


def _render_json(report: RunReport, _: RenderOptions) -> bytes:
    from envtree.diagnostics.finding_json import report_to_json  # noqa: PLC0415

    return report_to_json(report)


def _render_github(report: RunReport, render_options: RenderOptions) -> bytes:
    from envtree.report.github import render_github  # noqa: PLC0415

    return render_github(report.findings, render_options.repository_prefix).encode()


def _render_sarif(report: RunReport, render_options: RenderOptions) -> bytes:
    from envtree.report.sarif import render_sarif  # noqa: PLC0415

    return render_sarif(report.findings, render_options.repository_prefix)


def _render_junit(report: RunReport, render_options: RenderOptions) -> bytes:
    from envtree.report.junit import render_junit  # noqa: PLC0415

    return render_junit(report.findings, render_options.repository_prefix, strict=render_options.strict)


def _render_gitlab(report: RunReport, render_options: RenderOptions) -> bytes:
    from envtree.report.gitlab import render_gitlab  # noqa: PLC0415

    return render_gitlab(report.findings, render_options.repository_prefix)


_RENDERERS: dict[str, Callable[[RunReport, RenderOptions], bytes]] = {
    "text": _render_text,
    "json": _render_json,
    "github": _render_github,
    "sarif": _render_sarif,
    "junit": _render_junit,
    "gitlab": _render_gitlab,
}
