"""Implementation of `envtree secrets edit`: open a secrets file in the user's editor."""

import sys
from pathlib import Path
from typing import NamedTuple

import click

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.secrets_session import CommandStoppedError, SecretsSession, open_secrets_session
from envtree.diagnostics.printable import printable
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError
from envtree.secrets.edit.set_value import ensure_scope
from envtree.secrets.edit.sops_document import SopsDocument, read_sops_document
from envtree.secrets.edit.sops_values import ciphertext, collect_values
from envtree.system.atomic_files import replace_file
from envtree.system.console import err


class SecretsEditOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    file: str
    color: str


def run(options: SecretsEditOptions) -> ExitCode:
    """Let the user edit a file, and replace it if the result passes the checks."""
    try:
        session = open_secrets_session(options.directory, options.color)
        document = session.read_or_stop(session.resolve_existing(options.file))
        return _edit_file(session, document)
    except CommandStoppedError:
        return ExitCode.FAILURE
    except DecryptError as error:
        raise error.to_refused_error() from None


def _edit_file(session: SecretsSession, document: SopsDocument) -> ExitCode:
    path = document.file.path
    data = session.writer.edit(document.file, ensure_scope(document, session.writer).data)
    if data is None:
        err(f"'{path}' is as it was\n")
        return ExitCode.OK
    while not session.check_content(path, data):
        # The edits are not lost: they are kept, encrypted, in memory.
        if not (sys.stdin.isatty() and click.confirm("open the editor again?", default=True, err=True)):
            err(f"'{path}' is as it was\n")
            return ExitCode.FAILURE
        data = session.writer.edit(document.file, data) or data
    after = read_sops_document(data, path, document.file.location)
    replace_file(session.tree.root, path, document.data, data)
    err(f"{printable(_describe_changes(document, after))} in '{path}'\n")
    return ExitCode.OK


def _describe_changes(before: SopsDocument, after: SopsDocument) -> str:
    """List the added, changed and removed keys; sops keeps the ciphertexts of unchanged values."""
    old, new = (
        {path: ciphertext(leaf.node) for path, leaf in collect_values(version).items()} for version in (before, after)
    )
    parts = [
        _describe_keys("added", new.keys() - old.keys()),
        _describe_keys("changed", {path for path in new.keys() & old.keys() if new[path] != old[path]}),
        _describe_keys("removed", old.keys() - new.keys()),
    ]
    return "; ".join(filter(None, parts)) or "changed comments, or the order,"


def _describe_keys(verb: str, paths: set[KeyPath]) -> str:
    names = ", ".join(f"'{format_path(path)}'" for path in sorted(paths))
    return f"{verb} {names}" if names else ""
