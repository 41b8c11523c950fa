"""Shared by the commands that change secrets files: the tree, sops, and checks of the files."""

import os
import resource
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import Environ, build_report, candidate_paths, open_tree, print_findings, tree_request
from envtree.diagnostics.findings import Finding, build_findings
from envtree.diagnostics.suggest import did_you_mean
from envtree.diagnostics.summary import RunReport
from envtree.engine.request import Request
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic, MachineError, Severity
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.nodes import Node
from envtree.model.secrets_file import SCOPE_KEY
from envtree.model.source import Kind
from envtree.model.workspace import Workspace
from envtree.secrets.edit.secrets_location import SecretsLocationError, locate_secrets_file
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError, read_sops_document
from envtree.secrets.edit.sops_values import collect_values
from envtree.secrets.edit.tree_with_file import TreeWithFile
from envtree.secrets.sops.writer import SopsWriter
from envtree.sources.tree import DirectoryTree, Tree


class CommandStoppedError(Exception):
    """The command cannot continue; the reason has been printed."""


class SecretsSession(NamedTuple):
    """A tree that has been read, with the `SopsWriter` that changes its secrets files."""

    tree: DirectoryTree
    request: Request
    run: Run
    workspace: Workspace
    writer: SopsWriter
    color: str

    def print_findings(self, findings: Iterable[Finding]) -> None:
        """Print findings to stderr."""
        print_findings(self.tree, RunReport(tuple(findings)), self.color)

    def resolve_path(self, text: str) -> str:
        """Return the path of a secrets file in the tree, which need not exist; raise a usage error for other paths."""
        if not is_utf8(text):
            raise usage_error("the name of a file is text in UTF-8", "rename it")
        inside = [(file, path) for file, path in candidate_paths(text, self.tree.root) if path]
        if not inside:
            raise usage_error(f"'{text}' lies outside of the tree '{self.tree.root}'", "name a file in it, or use -C")
        existing = [path for file, path in inside if os.path.lexists(file)]
        location_error = None
        for path in existing or [path for _, path in inside]:
            if path in self.run.files and self.run.files[path].location.kind is Kind.SECRETS:
                return path
            try:
                locate_secrets_file(self.tree, path)
            except SecretsLocationError as error:
                location_error = error
            else:
                return path
        assert location_error
        raise usage_error(location_error.message, location_error.hint)

    def resolve_existing(self, text: str) -> str:
        """Return the path of an existing secrets file; raise a usage error for other paths."""
        path = self.resolve_path(text)
        if path not in self.run.files:
            raise usage_error(f"there is no '{path}' yet", f"'envtree secrets set {path} KEY' begins it")
        return path

    def load(self, path: str) -> SopsDocument:
        """Load a secrets file of the tree; raise UnreadableError if it is not safe to run sops on it."""
        data = self.tree.read(path)
        if not isinstance(data, bytes):
            raise MachineError(*data)
        return read_sops_document(data, path, self.run.files[path].location)

    def read_plain(self, path: str) -> bytes | None:
        """Return the bytes of a file without secrets, None if it does not exist; raise MachineError if unreadable."""
        if path not in self.run.files:
            return None
        data = self.tree.read(path)
        if not isinstance(data, bytes):
            raise MachineError(*data)
        return data

    def read_or_stop(self, path: str) -> SopsDocument:
        """Load a secrets file; if it is unreadable, print the findings and raise CommandStoppedError."""
        try:
            return self.load(path)
        except UnreadableError as error:
            self.print_findings(self.unreadable_findings(error))
            raise CommandStoppedError from None

    def unreadable_findings(self, error: UnreadableError) -> tuple[Finding, ...]:
        """Return the findings of an unreadable file."""
        return build_findings(error.findings, self.run.severities)

    def check_bundles(self, contents: Mapping[str, bytes]) -> bool:
        """Print the errors that new contents of files would cause anywhere; return whether there are none."""
        with show_progress(sys.stderr) as progress:
            errors = [
                _compute_errors(self.request._replace(tree=tree, progress=progress))
                for tree in (self.tree, self._tree_with(contents))
            ]
        before = {_identity(finding.diagnostic) for finding in errors[0]}
        new = [finding for finding in errors[1] if _identity(finding.diagnostic) not in before]
        self.print_findings(new)
        return not new

    def check_content(self, path: str, content: bytes) -> bool:
        """Print the findings that new content of a file would add; return whether there is no error among them."""
        after = Run(self.request._replace(tree=self._tree_with({path: content})))
        before = {_identity(diagnostic) for diagnostic in self.run.diags}
        new = [
            diagnostic
            for diagnostic in after.diags
            if diagnostic.span.path == path and _identity(diagnostic) not in before
        ]
        findings = build_findings(new, after.severities)
        self.print_findings(findings)
        return not any(finding.severity is Severity.ERROR for finding in findings)

    def _tree_with(self, contents: Mapping[str, bytes]) -> Tree:
        tree: Tree = self.tree
        for path, content in contents.items():
            tree = TreeWithFile(tree, path, content)
        return tree


def open_secrets_session(directory: Path, color: str) -> SecretsSession:
    """Read the tree around a folder, and disable core dumps of this process.

    Print the findings and raise CommandStoppedError if the tree has no usable organization.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tree = open_tree(directory)
    with show_progress(sys.stderr) as progress:
        request = tree_request(tree, environ=Environ(), allow_empty=True, document_cache={})
        run = Run(request._replace(progress=progress))
    if run.workspace is None:
        print_findings(tree, build_report(run.outcome()), color)
        raise CommandStoppedError
    writer = SopsWriter(tree.root, run.workspace.organization.secrets_policy)
    return SecretsSession(tree=tree, request=request, run=run, workspace=run.workspace, writer=writer, color=color)


def parse_key(text: str) -> KeyPath:
    """Return the path of a key of a secrets file; raise a usage error for any other text."""
    try:
        if not is_utf8(text):
            raise ValueError("a key is text in UTF-8")
        return parse_path(text)
    except ValueError as error:
        raise usage_error(f"'{text}' is not a key of a secrets file", str(error)) from None


def find_key(document: SopsDocument, key: KeyPath) -> Node:
    """Return the node of a key; raise a usage error with the nearest key if there is none."""
    node = document.find_node(key)
    if node is None:
        names = [format_path(path) for path in collect_values(document) if path != (SCOPE_KEY,)]
        message = f"there is no '{format_path(key)}' in '{document.file.path}'"
        raise usage_error(message, did_you_mean(format_path(key), names))
    return node


def _compute_errors(request: Request) -> list[Finding]:
    """Return the errors of a tree and all its bundles."""
    run = Run(request)
    for _ in run.bundles():
        pass
    return [finding for finding in run.outcome().findings if finding.severity is Severity.ERROR]


def _identity(diagnostic: Diagnostic) -> tuple[str, str, str, str]:
    return diagnostic.span.path, diagnostic.code, diagnostic.key, diagnostic.message
