"""What the commands that change secrets files have in common: the tree, sops, the files, and what is found in them."""

import os
import resource
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import Environ, build_report, candidate_paths, open_tree, print_findings, tree_request
from envtree.diagnostics.findings import Finding, build_findings
from envtree.diagnostics.summary import RunReport
from envtree.engine.request import Request
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic, MachineError, Severity
from envtree.model.source import Kind
from envtree.model.workspace import Workspace
from envtree.secrets.edit.secrets_location import SecretsLocationError, locate_secrets_file
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError, read_sops_document
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.secrets.sops.writer import SopsWriter
from envtree.sources.tree import DirectoryTree


class CommandStoppedError(Exception):
    """A command cannot go on, and why has been told."""


class SecretsSession(NamedTuple):
    """A tree that has been read, and the sops that changes its secrets."""

    tree: DirectoryTree
    request: Request
    run: Run
    workspace: Workspace
    writer: SopsWriter
    color: str

    def print_findings(self, findings: Iterable[Finding]) -> None:
        """Show findings on stderr."""
        print_findings(self.tree, RunReport(tuple(findings)), self.color)

    def resolve_path(self, text: str) -> str:
        """The path of a secrets file of the tree, which may not exist yet; a usage error for any other place."""
        if not is_utf8(text):
            raise usage_error("the name of a file is text in UTF-8", "rename it")
        inside = [(file, path) for file, path in candidate_paths(text, self.tree.root) if path]
        if not inside:
            raise usage_error(f"'{text}' lies outside of the tree '{self.tree.root}'", "name a file in it, or use -C")
        there = [path for file, path in inside if os.path.lexists(file)]
        wrong = None
        for path in there or [path for _, path in inside]:
            if path in self.run.files and self.run.files[path].location.kind is Kind.SECRETS:
                return path
            try:
                locate_secrets_file(self.tree, path)
            except SecretsLocationError as error:
                wrong = error
            else:
                return path
        assert wrong
        raise usage_error(wrong.message, wrong.hint)

    def resolve_existing(self, text: str) -> str:
        """The same, for a file that is there."""
        path = self.resolve_path(text)
        if path not in self.run.files:
            raise usage_error(f"there is no '{path}' yet", f"'envtree secrets set {path} KEY' begins it")
        return path

    def load(self, path: str) -> SopsDocument:
        """A secrets file of the tree; UnreadableError if it is not one that sops may be started on."""
        data = self.tree.read(path)
        if not isinstance(data, bytes):
            raise MachineError(*data)
        return read_sops_document(data, path, self.run.files[path].location)

    def read_or_stop(self, path: str) -> SopsDocument:
        """The same; Stopped where what is wrong with it has been told."""
        try:
            return self.load(path)
        except UnreadableError as error:
            self.print_findings(self.unreadable_findings(error))
            raise CommandStoppedError from None

    def unreadable_findings(self, error: UnreadableError) -> tuple[Finding, ...]:
        """What is wrong with a file."""
        return build_findings(error.findings, self.run.severities)

    def check_content(self, path: str, content: bytes) -> bool:
        """Tell what the pipeline would newly find in a file with other bytes; whether there is no error among it."""
        after = Run(self.request._replace(tree=TreeWithFile(self.tree, path, content)))
        known = Counter(map(_identity, self.run.diags))
        new = [each for each in after.diags if each.span.path == path and known[_identity(each)] == 0]
        found = build_findings(new, after.severities)
        self.print_findings(found)
        return not any(finding.severity is Severity.ERROR for finding in found)


def open_secrets_session(directory: Path, color: str) -> SecretsSession:
    """Read the tree around a folder, in a process that from now on leaves no core dump; Stopped without a tree."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tree = open_tree(directory)
    with show_progress(sys.stderr) as told:
        request = tree_request(tree, environ=Environ(), allow_empty=True, document_cache={})
        run = Run(request._replace(progress=told))
    if run.workspace is None:
        print_findings(tree, build_report(run.outcome()), color)
        raise CommandStoppedError
    writer = SopsWriter(tree.root, run.workspace.organization.secrets_policy)
    return SecretsSession(tree, request, run, run.workspace, writer, color)


def _identity(diagnostic: Diagnostic) -> tuple[str, str, str, str]:
    return diagnostic.span.path, diagnostic.code, diagnostic.key, diagnostic.message
