"""Implementation of `envtree secrets unset`: remove one secret from its file."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.secrets_session import (
    CommandStoppedError,
    SecretsSession,
    find_key,
    open_secrets_session,
    parse_key,
)
from envtree.diagnostics.printable import printable
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import SCOPE_KEY, DecryptError
from envtree.secrets.edit.sops_document import SopsDocument
from envtree.secrets.edit.unset_key import unset_key
from envtree.system.atomic_files import replace_file
from envtree.system.console import err


class SecretsUnsetOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    file: str
    key: str
    color: str


def run(options: SecretsUnsetOptions) -> ExitCode:
    """Remove the value, or report the error that prevents it."""
    key = parse_key(options.key)
    if key[0] == SCOPE_KEY:
        raise usage_error(f"'{SCOPE_KEY}' says where the file belongs", "it stays")
    try:
        session = open_secrets_session(options.directory, options.color)
        document = session.read_or_stop(session.resolve_existing(options.file))
        find_key(document, key)
        return _update_file(session, document, key)
    except CommandStoppedError:
        return ExitCode.FAILURE
    except DecryptError as error:
        raise error.to_refused_error() from None


def _update_file(session: SecretsSession, document: SopsDocument, key: KeyPath) -> ExitCode:
    path, name = document.file.path, printable(format_path(key))
    after = unset_key(document, key, session.writer)
    if not session.check_bundles({path: after.data}):
        err(f"'{path}' is as it was: '{name}' is needed\n")
        return ExitCode.FAILURE
    replace_file(session.tree.root, path, document.data, after.data)
    err(f"removed '{name}' from '{path}'\n")
    return ExitCode.OK
