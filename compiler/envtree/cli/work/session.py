"""What the commands over a tree have in common: the tree, its lines, its keys, and how findings are told."""

import os
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple, TextIO

from envtree.cli.console import colored, err, out
from envtree.cli.options import usage_error
from envtree.diagnostic import Failure, Refusal
from envtree.git import repository_root
from envtree.nearest import did_you_mean
from envtree.pipeline import Outcome, UnknownInput
from envtree.report import Report, plural, stopped
from envtree.report.github import github
from envtree.report.json import json
from envtree.report.text import Lines, skipped, text
from envtree.secret import SecretsPolicy
from envtree.sops import SopsDecrypter
from envtree.tree import DirectoryTree, RootNotFound, find_root


def open_tree(directory: Path) -> DirectoryTree:
    """The tree that a folder lies in."""
    try:
        return DirectoryTree(find_root(directory))
    except RootNotFound as missing:
        raise usage_error(missing.message, missing.hint) from None


def decrypter(tree: DirectoryTree) -> Callable[[SecretsPolicy], SopsDecrypter]:
    """The real sops, for a process that from now on leaves no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return lambda policy: SopsDecrypter(tree.root, policy)


@contextmanager
def usage_errors() -> Iterator[None]:
    """Tell what was wrong on the command line as click does."""
    try:
        yield
    except UnknownInput as unknown:
        message = f"organization.yaml declares no input '{unknown.name}'"
        raise usage_error(message, did_you_mean(unknown.name, unknown.known)) from None


class Messages(NamedTuple):
    """How findings are told: as text to `stream`, or to a program on stdout."""

    tree: DirectoryTree
    form: str | None
    color: str
    stream: TextIO
    verbose: bool = False

    @property
    def chosen(self) -> str:
        """The form that was asked for, or the one that fits where this runs."""
        return self.form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text")

    def tell(self, report: Report) -> None:
        """Write the findings."""
        if self.chosen == "json":
            out(json(report))
        elif self.chosen == "github":
            out(github(report.findings, _prefix(self.tree)))
        else:
            self._tell_people(report)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell a program too what stops a run; people read it at the end of the command."""
        try:
            yield
        except (Failure, Refusal) as reason:
            if self.chosen != "text":
                self.tell(stopped(reason))
            raise

    def _tell_people(self, report: Report) -> None:
        write = out if self.stream is sys.stdout else err
        write(text(report.findings, lines_of(self.tree), color=colored(self.stream, self.color)))
        missed = report.skipped()
        if self.verbose:
            write(skipped(missed))

    def conclude(self, report: Report, sentence: str) -> None:
        """Say in a line or two how the run went, unless a program reads all of it."""
        if self.chosen == "json":
            return
        missed = report.skipped()
        if missed:
            need, were = ("need", "were") if len(missed) > 1 else ("needs", "was")
            listed = "" if self.verbose else " (-v lists them)"
            err(f"{plural(len(missed), 'check')} {need} a key or an input and {were} not made{listed}\n")
        err(f"{sentence}\n")


def report_of(outcome: Outcome, differences: tuple[str, ...] | None = None) -> Report:
    """What an outcome has to say."""
    return Report(outcome.findings, outcome.not_checked, outcome.checked, differences)


def lines_of(tree: DirectoryTree) -> Lines:
    """The lines of the tree's files, but never those of a secrets file, whatever name leads to it."""

    @cache
    def lines(path: str) -> Sequence[str]:
        names = (path, Path(os.path.realpath(tree.root / path)).name)
        if any(".secrets." in name for name in names):
            return ()
        try:
            data = tree.read(path)
        except Failure:
            return ()
        return data.decode("utf-8", "replace").split("\n") if isinstance(data, bytes) else ()

    return lines


def _prefix(tree: DirectoryTree) -> str:
    """The way from the repository's root to the tree's."""
    repository = repository_root(tree.root)
    inside = tree.root.relative_to(repository).as_posix() if repository else "."
    return "" if inside == "." else f"{inside}/"
