"""Render reports in each format, and write them to files."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import usage_error
from envtree.diagnostics.summary import RunReport
from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.model.tree_layout import SOURCE_FOLDERS, parse_file_name
from envtree.report.text import FileLines, render_headlines, render_skipped_checks, render_text
from envtree.system import disk

# A report contains no secrets, like an output of `--secrets ref`, so others may read it.
_FILE_BITS = disk.FILE_BITS["ref"]


class RenderOptions(NamedTuple):
    """The settings of a format; `repository_prefix` is the path of the tree within its repository."""

    repository_prefix: str = ""
    read_lines: FileLines = lambda path: ()
    strict: bool = False
    verbose: bool = False

    def text(self, report: RunReport, *, color: bool) -> str:
        """Return a report for people."""
        skipped = render_skipped_checks(report.skipped_checks()) if self.verbose else ""
        if report.counts_codes:
            from envtree.report.statistics import render_statistics  # noqa: PLC0415 -- only with --statistics

            return render_statistics(report.findings) + skipped
        return render_text(report.findings, self.read_lines, color=color) + skipped


class ReportFile(NamedTuple):
    """A report to write to a file."""

    form: str
    path: Path

    def write(self, report: RunReport, render_options: RenderOptions) -> None:
        """Write the whole report; raise MachineError if it cannot be written."""
        replace_report(self.path, render_report(self.form, report, render_options))


def replace_report(path: Path, data: bytes) -> None:
    """Replace a report atomically; raise MachineError if it cannot be written."""
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
    """Return the requested report files; raise a usage error for an unsuitable path, or for one that occurs twice."""
    seen: set[Path] = set()
    for _, path in requested:
        resolved = check_report_path(path, root, "--output-format prints a report")
        if resolved in seen:
            raise usage_error(f"two reports go to '{path}'", "give each a file of its own")
        seen.add(resolved)
    return tuple(ReportFile(form, path) for form, path in requested)


def check_report_path(path: Path, root: Path, hint: str) -> Path:
    """Return the resolved path of a report; raise a usage error unless it can be a regular file outside the sources."""
    resolved = path.parent.resolve() / path.name
    if os.path.lexists(resolved) and (resolved.is_symlink() or not resolved.is_file()):
        raise usage_error(f"the report '{path}' is not a regular file", hint)
    if resolved.is_relative_to(root) and _is_tree_file(resolved.relative_to(root)):
        raise usage_error(f"the report '{path}' would lie among the tree's own files", "choose another place")
    return resolved


def write_report_files(files: Sequence[ReportFile], report: RunReport, render_options: RenderOptions) -> None:
    """Write a report to every file, and only then raise the first error, if any."""
    errors: list[MachineError] = []
    for file in files:
        try:
            file.write(report, render_options)
        except MachineError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def render_report(form: str, report: RunReport, render_options: RenderOptions) -> bytes:
    """Render a report in a format, without colours."""
    return _RENDERERS[form](report, render_options)


def _is_tree_file(path: Path) -> bool:
    return path.parts[0] in SOURCE_FOLDERS or (len(path.parts) == 1 and parse_file_name(path.name) is not None)


def _render_text(report: RunReport, render_options: RenderOptions) -> bytes:
    return render_options.text(report, color=False).encode()


def _render_concise(report: RunReport, _: RenderOptions) -> bytes:
    return "".join(f"{line}\n" for line in render_headlines(report.findings, color=False)).encode()


# Each format is imported on demand: most runs need only one.


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
    "concise": _render_concise,
    "json": _render_json,
    "github": _render_github,
    "sarif": _render_sarif,
    "junit": _render_junit,
    "gitlab": _render_gitlab,
}
