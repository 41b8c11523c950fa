"""Shared by the commands over a tree: open it, decrypt, run a request, and print findings with source lines."""

import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.report_output import RenderOptions, ReportFile, render_report, write_report_files
from envtree.controlplane.desired.control_plane_stage import CONTROL_PLANE_STAGE
from envtree.diagnostics.printable import printable
from envtree.diagnostics.suggest import did_you_mean
from envtree.diagnostics.summary import RunReport, error_report, plural
from envtree.engine.decryption import Decrypter
from envtree.engine.request import Request, RunOutcome
from envtree.engine.run import Run
from envtree.model.credential_patterns import is_credential_line
from envtree.model.diagnostic import MachineError, RefusedError, Severity
from envtree.model.inputs import UnknownInputError
from envtree.model.secrets_file import SecretsPolicy
from envtree.report.text import FileLines, render_headlines
from envtree.secrets.sops.environment import child_environment
from envtree.secrets.sops.select_decrypter import select_decrypter
from envtree.sources.tree import DirectoryTree, RootNotFoundError, Tree, find_root
from envtree.system.console import can_encode, err, err_elapsed, out, should_color, write_styled
from envtree.system.git import repository_root

# Make a request that can build the resources of the control plane.
tree_request = partial(Request, whole_tree=CONTROL_PLANE_STAGE)

_DEFAULT_RENDER_OPTIONS = RenderOptions()
_MAX_TERMINAL_INFOS = 20
_TICK, _GREEN = "✔", "32"


def open_tree(directory: Path) -> DirectoryTree:
    """Return the tree around a folder; raise a usage error if there is none."""
    try:
        return DirectoryTree(find_root(directory))
    except RootNotFoundError as error:
        raise usage_error(error.message, error.hint) from None


def decrypter_factory(tree: DirectoryTree) -> Callable[[SecretsPolicy], Decrypter]:
    """Return a factory of decrypters for a tree, and disable core dumps of this process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    environments: dict[SecretsPolicy, dict[str, str]] = {}

    def cached_environment(policy: SecretsPolicy, *rest: Any) -> dict[str, str]:
        """Compute the environment of sops once for all projects of a run."""
        if policy not in environments:
            environments[policy] = child_environment(policy, *rest)
        return environments[policy]

    return lambda policy: select_decrypter(tree.root, policy, make_environment=cached_environment)


@contextmanager
def translate_input_errors() -> Iterator[None]:
    """Turn an error about an undeclared input into a usage error."""
    try:
        yield
    except UnknownInputError as error:
        message = f"organization.yaml declares no input '{error.name}'"
        hint = did_you_mean(error.name, error.declared_names) or "declare it under 'inputs'"
        raise usage_error(message, hint) from None


def candidate_paths(text: str, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that a name may mean, each with its path in the tree, which is empty outside the tree.

    The name is relative to the current folder, to the root of the tree or to that of the repository. If the file itself
    is a link, it is not followed.
    """
    for folder in dict.fromkeys((Path.cwd(), root, repository_root(root) or root)):
        path = folder / text
        file = Path(os.path.realpath(path.parent), path.name)
        yield file, file.relative_to(root).as_posix() if file.is_relative_to(root) and file != root else ""


class Environ(Mapping[str, str]):
    """The process environment; reading a variable that is not UTF-8 raises MachineError: no bundle can contain it."""

    def __getitem__(self, name: str) -> str:
        value = os.environ[name]
        if not is_utf8(value):
            message = f"the environment variable '{name}', which an input reads, is not UTF-8"
            raise MachineError("ET509", message, "correct its value")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


@contextmanager
def start_run(request: Request) -> Iterator[Run]:
    """Start the run of a request with the process environment; show its progress during the block."""
    with translate_input_errors(), show_progress(sys.stderr) as progress:
        yield Run(request._replace(environ=Environ(), progress=progress))


@contextmanager
def report_errors_as(
    form: str | None, files: Sequence[ReportFile] = (), render_options: RenderOptions = _DEFAULT_RENDER_OPTIONS
) -> Iterator[None]:
    """Report an error that stops the command in the requested format, too; `run_command` prints it as text."""
    try:
        yield
    except (MachineError, RefusedError) as error:
        report = error_report(error)
        # An error in writing the files must not hide the one that stopped the command.
        with suppress(MachineError):
            write_report_files(files, report, render_options)
        if effective_format(form) != "text":
            out(render_report(effective_format(form), report, render_options))
        raise


def effective_format(form: str | None) -> str:
    """Return the requested format of findings; the default is `github` in GitHub Actions, else `text`."""
    return form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")


class ReportPrinter(NamedTuple):
    """Prints findings as text to `stream` or in another format to stdout, and writes them to the report files.

    With `quiet` only the files are written. Without `shows_all` a terminal gets the first infos only.
    """

    render_options: RenderOptions
    form: str | None
    color: str
    stream: TextIO
    files: tuple[ReportFile, ...] = ()
    quiet: bool = False
    shows_all: bool = True

    @property
    def is_machine_readable(self) -> bool:
        """Whether stdout is a single document, such as JSON."""
        return not self.quiet and effective_format(self.form) not in ("text", "concise", "github")

    def print_report(self, report: RunReport) -> None:
        """Write the findings."""
        try:
            self._print_findings(report)
        finally:
            # The files are written even if stdout is closed.
            write_report_files(self.files, report, self.render_options)

    def _print_findings(self, report: RunReport) -> None:
        form, color = effective_format(self.form), should_color(self.stream, self.color)
        if self.quiet:
            return
        if form == "text":
            shown, hidden = self._limit_infos(report)
            note = f"and {plural(hidden, 'more info')}: --all\n" if hidden else ""
            write_styled(self.stream, self.render_options.text(shown, color=color) + note)
        elif form == "concise":
            lines = render_headlines(report.findings, color=color)
            write_styled(self.stream, "".join(f"{line}\n" for line in lines))
        else:
            out(render_report(form, report, self.render_options))

    def _limit_infos(self, report: RunReport) -> tuple[RunReport, int]:
        """Return the report for a terminal, with the first infos only, and how many it leaves out."""
        if self.shows_all or report.counts_codes or not self.stream.isatty():
            return report, 0
        infos = [number for number, finding in enumerate(report.findings) if finding.severity is Severity.INFO]
        hidden = frozenset(infos[_MAX_TERMINAL_INFOS:])
        shown = tuple(finding for number, finding in enumerate(report.findings) if number not in hidden)
        return report._replace(findings=shown), len(hidden)

    def print_summary(self, report: RunReport, sentence: str) -> None:
        """Print a summary and the number of skipped checks to stderr, unless the output is machine-readable."""
        if self.is_machine_readable:
            return
        skipped = report.skipped_checks()
        if skipped:
            need, were = ("need", "were") if len(skipped) > 1 else ("needs", "was")
            hint = "" if self.render_options.verbose else " (-v lists them)"
            err(f"{plural(len(skipped), 'check')} {need} a key or an input and {were} not made{hint}\n")
        if not sys.stderr.isatty() or not _is_clean(report):
            err(f"{printable(sentence)}\n")
            return
        if can_encode(sys.stderr, _TICK):
            color = should_color(sys.stderr, self.color)
            write_styled(sys.stderr, f"\x1b[{_GREEN}m{_TICK}\x1b[0m " if color else f"{_TICK} ")
        err(printable(sentence))
        err_elapsed()
        err("\n")


def _is_clean(report: RunReport) -> bool:
    """Whether nothing is to be done: no error, no warning, and no difference."""
    return not report.differences and all(finding.severity is Severity.INFO for finding in report.findings)


def print_findings(tree: DirectoryTree, report: RunReport, color: str) -> None:
    """Print the findings of a tree to stderr, as text."""
    ReportPrinter(make_render_options(tree), "text", color, sys.stderr).print_report(report)


def build_report(outcome: RunOutcome, differences: tuple[str, ...] | None = None) -> RunReport:
    """Return the report of an outcome; `differences` are the paths that `--check` found."""
    return RunReport(outcome.findings, outcome.not_checked, outcome.checked, differences)


class RootedTree(Tree, Protocol):
    """A tree in a folder."""

    @property
    def root(self) -> Path:
        """The root folder of the tree."""


def make_render_options(tree: RootedTree, *, strict: bool = False, verbose: bool = False) -> RenderOptions:
    """Return the render options for findings of a tree, with its path in the repository and its source lines."""
    repository = repository_root(tree.root)
    folder = tree.root.relative_to(repository).as_posix() if repository else "."
    return RenderOptions("" if folder == "." else f"{folder}/", source_line_reader(tree), strict, verbose)


def source_line_reader(tree: RootedTree) -> FileLines:
    """Return a function that reads the lines of a file in the tree; secrets files, also behind links, have no lines.

    A line that may contain a credential is None, so that it is not shown together with a finding on the same line.
    """

    @cache
    def lines(path: str) -> Sequence[str | None]:
        names = (path, Path(os.path.realpath(tree.root / path)).name)
        if any(".secrets." in name for name in names):
            return ()
        try:
            data = tree.read(path)
        except MachineError:
            return ()
        text_lines = data.decode("utf-8", "replace").split("\n") if isinstance(data, bytes) else []
        return [None if is_credential_line(line) else line for line in text_lines]

    return lines
