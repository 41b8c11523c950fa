"""What the commands that change secrets files have in common: the tree, sops, the files, and what is found in them."""

import os
import resource
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.session import Environ, candidates, open_tree, report_of, tell
from envtree.diagnostics.findings import Finding, settle
from envtree.engine.run import Request, Run
from envtree.model.diagnostic import Diagnostic, Failure, Severity
from envtree.model.source import Kind
from envtree.model.workspace import Workspace
from envtree.report import Report
from envtree.secrets.edit.place import WrongPlaceError, place
from envtree.secrets.edit.planned import Planned
from envtree.secrets.edit.reading import Sealed, UnreadableError, read
from envtree.secrets.sops.writing import SopsWriter
from envtree.sources.tree import DirectoryTree


class Stopped(Exception):
    """A command cannot go on, and why has been told."""


class Desk(NamedTuple):
    """A tree that has been read, and the sops that changes its secrets."""

    tree: DirectoryTree
    request: Request
    run: Run
    workspace: Workspace
    writer: SopsWriter
    color: str

    def tell(self, findings: Iterable[Finding]) -> None:
        """Show findings on stderr."""
        tell(self.tree, Report(tuple(findings)), self.color)

    def find(self, text: str) -> str:
        """The path of a secrets file of the tree, which may not exist yet; a usage error for any other place."""
        if not is_text(text):
            raise usage_error("the name of a file is text in UTF-8", "rename it")
        inside = [(file, path) for file, path in candidates(text, self.tree.root) if path]
        if not inside:
            raise usage_error(f"'{text}' lies outside of the tree '{self.tree.root}'", "name a file in it, or use -C")
        there = [path for file, path in inside if os.path.lexists(file)]
        wrong = None
        for path in there or [path for _, path in inside]:
            if path in self.run.files and self.run.files[path].location.kind is Kind.SECRETS:
                return path
            try:
                place(self.tree, path)
            except WrongPlaceError as error:
                wrong = error
            else:
                return path
        assert wrong
        raise usage_error(wrong.message, wrong.hint)

    def existing(self, text: str) -> str:
        """The same, for a file that is there."""
        path = self.find(text)
        if path not in self.run.files:
            raise usage_error(f"there is no '{path}' yet", f"'envtree secrets set {path} KEY' begins it")
        return path

    def load(self, path: str) -> Sealed:
        """A secrets file of the tree; UnreadableError if it is not one that sops may be started on."""
        data = self.tree.read(path)
        if not isinstance(data, bytes):
            raise Failure(*data)
        return read(data, path, self.run.files[path].location)

    def read(self, path: str) -> Sealed:
        """The same; Stopped where what is wrong with it has been told."""
        try:
            return self.load(path)
        except UnreadableError as error:
            self.tell(self.findings(error))
            raise Stopped from None

    def findings(self, error: UnreadableError) -> tuple[Finding, ...]:
        """What is wrong with a file."""
        return settle(error.findings, self.run.severities)

    def check(self, path: str, content: bytes) -> bool:
        """Tell what the pipeline would newly find in a file with other bytes; whether there is no error among it."""
        after = Run(self.request._replace(tree=Planned(self.tree, path, content)))
        known = Counter(map(_identity, self.run.diags))
        new = [each for each in after.diags if each.span.path == path and known[_identity(each)] == 0]
        found = settle(new, after.severities)
        self.tell(found)
        return not any(finding.severity is Severity.ERROR for finding in found)


def open_desk(directory: Path, color: str) -> Desk:
    """Read the tree around a folder, in a process that from now on leaves no core dump; Stopped without a tree."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tree = open_tree(directory)
    with progress(sys.stderr) as told:
        request = Request(tree, environ=Environ(), allow_empty=True, memory={})
        run = Run(request._replace(progress=told))
    if run.workspace is None:
        tell(tree, report_of(run.outcome()), color)
        raise Stopped
    writer = SopsWriter(tree.root, run.workspace.organization.secrets_policy)
    return Desk(tree, request, run, run.workspace, writer, color)


def _identity(diagnostic: Diagnostic) -> tuple[str, str, str, str]:
    return diagnostic.span.path, diagnostic.code, diagnostic.key, diagnostic.message
