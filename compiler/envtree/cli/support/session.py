"""What the commands over a tree have in common: the tree, its lines, its keys, and how findings are told."""

import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TextIO

from envtree.cli.support.console import colored, err, out, painted
from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.reports import ReportFile, View, rendered, write_all
from envtree.diagnostics.printable import printable
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.run import Outcome, Request, Run
from envtree.model.credential_patterns import is_in_line
from envtree.model.diagnostic import Failure, Refusal
from envtree.model.inputs import UnknownInput
from envtree.model.secrets_file import SecretsPolicy
from envtree.report import Report, plural, stopped
from envtree.report.text import Lines, skipped, text
from envtree.secrets.sops import Decrypter
from envtree.secrets.sops.choice import choose
from envtree.secrets.sops.environment import child_environment
from envtree.sources.tree import DirectoryTree, RootNotFound, Tree, find_root
from envtree.system.git import repository_root

_NO_VIEW = View()


def open_tree(directory: Path) -> DirectoryTree:
    """The tree that a folder lies in."""
    try:
        return DirectoryTree(find_root(directory))
    except RootNotFound as missing:
        raise usage_error(missing.message, missing.hint) from None


def decrypter(tree: DirectoryTree) -> Callable[[SecretsPolicy], Decrypter]:
    """What opens secrets files, for a process that from now on leaves no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    known: dict[SecretsPolicy, dict[str, str]] = {}

    def around(policy: SecretsPolicy, *rest: Any) -> dict[str, str]:
        """What is found around a run, once for all of its projects."""
        if policy not in known:
            known[policy] = child_environment(policy, *rest)
        return known[policy]

    return lambda policy: choose(tree.root, policy, around=around)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Tell what was wrong on the command line as click does."""
    try:
        yield
    except UnknownInput as unknown:
        message = f"organization.yaml declares no input '{unknown.name}'"
        hint = did_you_mean(unknown.name, unknown.known) or "declare it under 'inputs'"
        raise usage_error(message, hint) from None


def candidates(text: str, root: Path) -> Iterator[tuple[Path, str]]:
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
        if not is_text(value):
            message = f"the environment variable '{name}', which an input reads, is not UTF-8"
            raise Failure("ET509", message, "correct its value")
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)


@contextmanager
def running(request: Request) -> Iterator[Run]:
    """The run of a request over this environment; how far it is shows while the block lasts."""
    with usage_errors(), progress(sys.stderr) as told:
        yield Run(request._replace(environ=Environ(), progress=told))


@contextmanager
def telling(form: str | None, files: Sequence[ReportFile] = (), view: View = _NO_VIEW) -> Iterator[None]:
    """Tell programs too what stops a command; people read it at the end."""
    try:
        yield
    except (Failure, Refusal) as reason:
        report = stopped(reason)
        # What stops the command is worse than a file that cannot be written.
        with suppress(Failure):
            write_all(files, report, view)
        if chosen(form) != "text":
            out(rendered(chosen(form), report, view))
        raise


def chosen(form: str | None) -> str:
    """The form of findings that was asked for, or the one that fits where this runs."""
    return form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")


class Messages(NamedTuple):
    """How findings are told: as text to `stream`, or to a program on stdout; and to whoever reads the files later."""

    view: View
    form: str | None
    color: str
    stream: TextIO
    files: tuple[ReportFile, ...] = ()
    quiet: bool = False

    @property
    def for_program(self) -> bool:
        """Whether stdout is one document."""
        return not self.quiet and chosen(self.form) not in ("text", "github")

    def tell(self, report: Report) -> None:
        """Write the findings."""
        try:
            self._tell(report)
        finally:
            # Whoever has closed stdout may still want the files.
            write_all(self.files, report, self.view)

    def _tell(self, report: Report) -> None:
        if self.quiet:
            return
        if chosen(self.form) != "text":
            out(rendered(chosen(self.form), report, self.view))
            return
        painted(self.stream, text(report.findings, self.view.lines, color=colored(self.stream, self.color)))
        if self.view.verbose:
            painted(self.stream, skipped(report.skipped()))

    def conclude(self, report: Report, sentence: str) -> None:
        """Say in a line or two how the run went, unless a program reads all of it."""
        if self.for_program:
            return
        missed = report.skipped()
        if missed:
            need, were = ("need", "were") if len(missed) > 1 else ("needs", "was")
            listed = "" if self.view.verbose else " (-v lists them)"
            err(f"{plural(len(missed), 'check')} {need} a key or an input and {were} not made{listed}\n")
        err(f"{printable(sentence)}\n")


def tell(tree: DirectoryTree, report: Report, color: str) -> None:
    """Show people the findings of a tree, on stderr."""
    Messages(view_of(tree), "text", color, sys.stderr).tell(report)


def report_of(outcome: Outcome, differences: tuple[str, ...] | None = None) -> Report:
    """What an outcome has to say."""
    return Report(outcome.findings, outcome.not_checked, outcome.checked, differences)


class Rooted(Tree, Protocol):
    """A tree in a folder."""

    @property
    def root(self) -> Path:
        """The folder."""


def view_of(tree: Rooted, *, strict: bool = False, verbose: bool = False) -> View:
    """How findings of a tree are looked at: from the root of the repository that it lies in."""
    repository = repository_root(tree.root)
    inside = tree.root.relative_to(repository).as_posix() if repository else "."
    return View("" if inside == "." else f"{inside}/", lines_of(tree), strict, verbose)


def lines_of(tree: Rooted) -> Lines:
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
        except Failure:
            return ()
        found = data.decode("utf-8", "replace").split("\n") if isinstance(data, bytes) else []
        return [None if is_in_line(line) else line for line in found]

    return lines
