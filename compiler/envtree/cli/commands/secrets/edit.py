"""`envtree secrets edit`: a secrets file in the user's editor."""

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
from envtree.system import atomic_files as exchange
from envtree.system.console import err


class SecretsEditOptions(NamedTuple):
    """The command line."""

    directory: Path
    file: str
    color: str


def run(options: SecretsEditOptions) -> ExitCode:
    """Let the user edit a file, and take over what is right."""
    try:
        desk = open_secrets_session(options.directory, options.color)
        sealed = desk.read_or_stop(desk.resolve_existing(options.file))
        return _edit_file(desk, sealed)
    except CommandStoppedError:
        return ExitCode.FAILURE
    except DecryptError as error:
        raise error.to_refused_error() from None


def _edit_file(session: SecretsSession, sealed: SopsDocument) -> ExitCode:
    path = sealed.file.path
    data = session.writer.edit(sealed.file, ensure_scope(sealed, session.writer).data)
    if data is None:
        err(f"'{path}' is as it was\n")
        return ExitCode.OK
    while not session.check_content(path, data):
        # What has been typed is not lost: it is encrypted in memory.
        if not (sys.stdin.isatty() and click.confirm("open the editor again?", default=True, err=True)):
            err(f"'{path}' is as it was\n")
            return ExitCode.FAILURE
        data = session.writer.edit(sealed.file, data) or data
    after = read_sops_document(data, path, sealed.file.location)
    exchange.replace_file(session.tree.root, path, sealed.data, data)
    err(f"{printable(_describe_changes(sealed, after))} in '{path}'\n")
    return ExitCode.OK


def _describe_changes(before: SopsDocument, after: SopsDocument) -> str:
    """What has become of which keys; sops keeps the ciphertexts of what was not touched."""
    old, new = ({path: ciphertext(leaf.node) for path, leaf in collect_values(one).items()} for one in (before, after))
    words = [
        _describe_keys("added", new.keys() - old.keys()),
        _describe_keys("changed", {path for path in new.keys() & old.keys() if new[path] != old[path]}),
        _describe_keys("removed", old.keys() - new.keys()),
    ]
    return "; ".join(filter(None, words)) or "changed comments, or the order,"


def _describe_keys(verb: str, paths: set[KeyPath]) -> str:
    names = ", ".join(f"'{format_path(path)}'" for path in sorted(paths))
    return f"{verb} {names}" if names else ""
