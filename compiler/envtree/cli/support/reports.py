"""The forms of a report, and reports in files beside the one on stdout."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import usage_error
from envtree.model.diagnostic import Failure, reason
from envtree.model.tree_layout import SOURCE_FOLDERS, parse_file_name
from envtree.report import Report
from envtree.report.text import Lines, skipped, text
from envtree.system import disk

# Like references in the place of secrets, a report shows nothing that others must not read.
_BITS = disk.FILE_BITS["ref"]


class View(NamedTuple):
    """What a form needs to know besides: `prefix` leads from the repository's root to the tree's."""

    prefix: str = ""
    lines: Lines = lambda path: ()
    strict: bool = False
    verbose: bool = False


class ReportFile(NamedTuple):
    """A report that goes into a file."""

    form: str
    path: Path

    def write(self, report: Report, view: View) -> None:
        """Write the whole report; a Failure if it cannot be written."""
        put(self.path, rendered(self.form, report, view))


def put(path: Path, data: bytes) -> None:
    """Put a report in place of what is there, or leave that as it is; a Failure if it cannot be written."""
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            disk.create(str(staged), data, _BITS)
            os.replace(staged, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(staged)
    except OSError as error:
        raise Failure("ET805", f"the report '{path}' cannot be written: {reason(error)}") from error


def report_files(asked: Sequence[tuple[str, Path]], root: Path) -> tuple[ReportFile, ...]:
    """The files that were asked for, each at a place that is fit for one."""
    seen: set[Path] = set()
    for _, path in asked:
        place = fit_place(path, root, "--format prints a report")
        if place in seen:
            raise usage_error(f"two reports go to '{path}'", "give each a file of its own")
        seen.add(place)
    return tuple(ReportFile(form, path) for form, path in asked)


def fit_place(path: Path, root: Path, otherwise: str) -> Path:
    """Where a report goes, if it may: into a regular file, and not among those that the tree is read from."""
    place = path.parent.resolve() / path.name
    if os.path.lexists(place) and (place.is_symlink() or not place.is_file()):
        raise usage_error(f"the report '{path}' is not a regular file", otherwise)
    if place.is_relative_to(root) and _is_own(place.relative_to(root)):
        raise usage_error(f"the report '{path}' would lie among the tree's own files", "choose another place")
    return place


def write_all(files: Sequence[ReportFile], report: Report, view: View) -> None:
    """Write a report into every file that takes one; the first Failure, when all have had their turn."""
    failures: list[Failure] = []
    for file in files:
        try:
            file.write(report, view)
        except Failure as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


def rendered(form: str, report: Report, view: View) -> bytes:
    """A report in a form, without colours."""
    return _FORMS[form](report, view)


def _is_own(path: Path) -> bool:
    return path.parts[0] in SOURCE_FOLDERS or (len(path.parts) == 1 and parse_file_name(path.name) is not None)


def _text(report: Report, view: View) -> bytes:
    told = text(report.findings, view.lines, color=False) + (skipped(report.skipped()) if view.verbose else "")
    return told.encode()


# Each form is imported when somebody asks for it: most runs need one.


def _json(report: Report, _: View) -> bytes:
    from envtree.diagnostics.finding_json import json  # noqa: PLC0415

    return json(report)


def _github(report: Report, view: View) -> bytes:
    from envtree.report.github import github  # noqa: PLC0415

    return github(report.findings, view.prefix).encode()


def _sarif(report: Report, view: View) -> bytes:
    from envtree.report.sarif import sarif  # noqa: PLC0415

    return sarif(report.findings, view.prefix)


def _junit(report: Report, view: View) -> bytes:
    from envtree.report.junit import junit  # noqa: PLC0415

    return junit(report.findings, view.prefix, strict=view.strict)


def _gitlab(report: Report, view: View) -> bytes:
    from envtree.report.gitlab import gitlab  # noqa: PLC0415

    return gitlab(report.findings, view.prefix)


_FORMS: dict[str, Callable[[Report, View], bytes]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
    "junit": _junit,
    "gitlab": _gitlab,
}
