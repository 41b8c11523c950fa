"""What the commands over a tree have in common: the tree, its lines, its keys, and how findings are told."""

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
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.model.inputs import UnknownInputError
from envtree.model.secrets_file import SecretsPolicy
from envtree.report.text import FileLines, render_skipped_checks, render_text
from envtree.secrets.sops.environment import child_environment
from envtree.secrets.sops.select_decrypter import select_decrypter
from envtree.sources.tree import DirectoryTree, RootNotFoundError, Tree, find_root
from envtree.system.console import err, out, should_color, write_styled
from envtree.system.git import repository_root

# A request of the command line, which can build the resources of the control plane.
tree_request = partial(Request, whole_tree=CONTROL_PLANE_STAGE)

_DEFAULT_RENDER_OPTIONS = RenderOptions()


def open_tree(directory: Path) -> DirectoryTree:
    """The tree that a folder lies in."""
    try:
        return DirectoryTree(find_root(directory))
    except RootNotFoundError as missing:
        raise usage_error(missing.message, missing.hint) from None


def decrypter_factory(tree: DirectoryTree) -> Callable[[SecretsPolicy], Decrypter]:
    """What opens secrets files, for a process that from now on leaves no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    known: dict[SecretsPolicy, dict[str, str]] = {}

    def around(policy: SecretsPolicy, *rest: Any) -> dict[str, str]:
        """What is found around a run, once for all of its projects."""
        if policy not in known:
            known[policy] = child_environment(policy, *rest)
        return known[policy]

    return lambda policy: select_decrypter(tree.root, policy, make_environment=around)


@contextmanager
def translate_input_errors() -> Iterator[None]:
    """Tell what was wrong on the command line as click does."""
    try:
        yield
    except UnknownInputError as unknown:
        message = f"organization.yaml declares no input '{unknown.name}'"
        hint = did_you_mean(unknown.name, unknown.declared_names) or "declare it under 'inputs'"
        raise usage_error(message, hint) from None


def candidate_paths(text: str, root: Path) -> Iterator[tuple[Path, str]]:
    """What the name of a file may mean: in this folder, in the tree, or in the repository; a link is not followed.

    Each has its path in the tree, which is empty outside of it.
    """
    for folder in dict.fromkeys((Path.cwd(), root, repository_root(root) or root)):
        written = folder / text
        file = Path(os.path.realpath(written.parent), written.name)
        yield file, file.relative_to(root).as_posix() if file.is_relative_to(root) and file != root else ""


class Environ(Mapping[str, str]):
    """The process environment; what no bundle could hold is refused, but only if it is read."""

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
    """The run of a request over this environment; how far it is shows while the block lasts."""
    with translate_input_errors(), show_progress(sys.stderr) as told:
        yield Run(request._replace(environ=Environ(), progress=told))


@contextmanager
def report_errors_as(
    form: str | None, files: Sequence[ReportFile] = (), render_options: RenderOptions = _DEFAULT_RENDER_OPTIONS
) -> Iterator[None]:
    """Tell programs too what stops a command; people read it at the end."""
    try:
        yield
    except (MachineError, RefusedError) as reason:
        report = error_report(reason)
        # What stops the command is worse than a file that cannot be written.
        with suppress(MachineError):
            write_report_files(files, report, render_options)
        if effective_format(form) != "text":
            out(render_report(effective_format(form), report, render_options))
        raise


def effective_format(form: str | None) -> str:
    """The form of findings that was asked for, or the one that fits where this runs."""
    return form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")


class ReportPrinter(NamedTuple):
    """How findings are told: as text to `stream`, or to a program on stdout; and to whoever reads the files later."""

    render_options: RenderOptions
    form: str | None
    color: str
    stream: TextIO
    files: tuple[ReportFile, ...] = ()
    quiet: bool = False

    @property
    def is_machine_readable(self) -> bool:
        """Whether stdout is one document."""
        return not self.quiet and effective_format(self.form) not in ("text", "github")

    def print_report(self, report: RunReport) -> None:
        """Write the findings."""
        try:
            self._print_findings(report)
        finally:
            # Whoever has closed stdout may still want the files.
            write_report_files(self.files, report, self.render_options)

    def _print_findings(self, report: RunReport) -> None:
        if self.quiet:
            return
        if effective_format(self.form) != "text":
            out(render_report(effective_format(self.form), report, self.render_options))
            return
        write_styled(
            self.stream,
            render_text(report.findings, self.render_options.read_lines, color=should_color(self.stream, self.color)),
        )
        if self.render_options.verbose:
            write_styled(self.stream, render_skipped_checks(report.skipped_checks()))

    def print_summary(self, report: RunReport, sentence: str) -> None:
        """Say in a line or two how the run went, unless a program reads all of it."""
        if self.is_machine_readable:
            return
        missed = report.skipped_checks()
        if missed:
            need, were = ("need", "were") if len(missed) > 1 else ("needs", "was")
            listed = "" if self.render_options.verbose else " (-v lists them)"
            err(f"{plural(len(missed), 'check')} {need} a key or an input and {were} not made{listed}\n")
        err(f"{printable(sentence)}\n")


def print_findings(tree: DirectoryTree, report: RunReport, color: str) -> None:
    """Show people the findings of a tree, on stderr."""
    ReportPrinter(make_render_options(tree), "text", color, sys.stderr).print_report(report)


def build_report(outcome: RunOutcome, differences: tuple[str, ...] | None = None) -> RunReport:
    """What an outcome has to say."""
    return RunReport(outcome.findings, outcome.not_checked, outcome.checked, differences)


class RootedTree(Tree, Protocol):
    """A tree in a folder."""

    @property
    def root(self) -> Path:
        """The folder."""


def make_render_options(tree: RootedTree, *, strict: bool = False, verbose: bool = False) -> RenderOptions:
    """How findings of a tree are looked at: from the root of the repository that it lies in."""
    repository = repository_root(tree.root)
    inside = tree.root.relative_to(repository).as_posix() if repository else "."
    return RenderOptions("" if inside == "." else f"{inside}/", source_line_reader(tree), strict, verbose)


def source_line_reader(tree: RootedTree) -> FileLines:
    """The lines of the tree's files, but never those of a secrets file, whatever name leads to it.

    A line that may show a credential is None: what stands on the same line as a mistake must not be told with it.
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
        found = data.decode("utf-8", "replace").split("\n") if isinstance(data, bytes) else []
        return [None if is_credential_line(line) else line for line in found]

    return lines
