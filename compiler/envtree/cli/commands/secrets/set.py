"""Implementation of `envtree secrets set`: write one secret, from stdin or a prompt, to its file."""

import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.secrets_session import CommandStoppedError, SecretsSession, open_secrets_session
from envtree.diagnostics.printable import printable
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.nodes import Node, ScalarNode
from envtree.model.secrets_file import SCOPE_KEY, DecryptError
from envtree.secrets.edit.new_file_recipients import find_recipients
from envtree.secrets.edit.secrets_location import locate_secrets_file
from envtree.secrets.edit.set_value import CannotSetError, check_fits, encrypt_new_file, set_value
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError
from envtree.secrets.edit.sops_values import node_types
from envtree.secrets.edit.value_input import check_path, parse_value
from envtree.secrets.sops.writer import SopsFormat
from envtree.sources.tree import FILE_LIMIT
from envtree.system.atomic_files import create_file, replace_file
from envtree.system.console import err


class SecretsSetOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    file: str
    key: str
    type: str
    as_json: bool
    keep_newline: bool
    color: str


def run(options: SecretsSetOptions) -> ExitCode:
    """Set the value, or report the error that prevents it."""
    key = _parse_key(options.key)
    try:
        session = open_secrets_session(options.directory, options.color)
        path = session.resolve_path(options.file)
        document = session.read_or_stop(path) if path in session.run.files else None
    except CommandStoppedError:
        return ExitCode.FAILURE
    value = _read_value(options)
    _check_value(document, path, key, value)
    try:
        return _update_file(session, document, key, value) if document else _create_file(session, path, key, value)
    except UnreadableError as error:
        session.print_findings(session.unreadable_findings(error))
        return _report_unchanged(path)
    except DecryptError as error:
        raise error.to_refused_error() from None


def _update_file(session: SecretsSession, document: SopsDocument, key: KeyPath, value: Any) -> ExitCode:
    path = document.file.path
    after = set_value(document, key, value, session.writer)
    if not session.check_content(path, after.data):
        return _report_unchanged(path)
    replace_file(session.tree.root, path, document.data, after.data)
    change = _describe_change(document.find_node(key), after.find_node(key))
    err(f"{change} '{printable(format_path(key))}' in '{path}'\n")
    return ExitCode.OK


def _create_file(session: SecretsSession, path: str, key: KeyPath, value: Any) -> ExitCode:
    readers = find_recipients(session.workspace, session.tree, path, locate_secrets_file(session.tree, path))
    data = encrypt_new_file(path, _file_format(path), key, value, readers.keys, session.writer)
    if not session.check_content(path, data):
        return _report_unchanged(path)
    create_file(session.tree.root, path, data)
    err(f"began '{path}' with '{printable(format_path(key))}', for {printable(', '.join(readers.names))}\n")
    return ExitCode.OK


def _describe_change(before: Node | None, after: Node | None) -> str:
    """Describe the change of a key; a change of its type is mentioned, as it may be a mistake."""
    if before is None:
        return "added"
    if isinstance(before, ScalarNode) and isinstance(after, ScalarNode) and node_types(before) != node_types(after):
        return f"changed, from {node_types(before)} to {node_types(after)},"
    return "changed"


def _report_unchanged(path: str) -> ExitCode:
    err(f"'{path}' is as it was\n")
    return ExitCode.FAILURE


def _parse_key(text: str) -> KeyPath:
    if "=" in text:
        # Do not quote the text: the part after the `=` may be the secret value.
        raise usage_error("KEY has no '='", "the value comes from stdin, or from a prompt")
    try:
        if not is_utf8(text):
            raise ValueError("a key is text in UTF-8")
        key = parse_path(text)
        check_path(key)
    except ValueError as error:
        raise usage_error(f"'{text}' is not a key of a secrets file", str(error)) from None
    return key


def _check_value(document: SopsDocument | None, path: str, key: KeyPath, value: Any) -> None:
    """Raise a usage error if the file cannot contain the value at this key."""
    scope = path.rpartition(".secrets.")[0]
    if key[0] == SCOPE_KEY and (len(key) > 1 or value != scope):
        raise usage_error(f"'{SCOPE_KEY}' says where the file belongs", f"the only value that it may have is '{scope}'")
    try:
        check_fits(document, _file_format(path), key, value)
    except CannotSetError as error:
        raise usage_error(error.message, error.hint) from None


def _read_value(options: SecretsSetOptions) -> Any:
    """Read and parse the value."""
    try:
        return parse_value(_read_text(options), "json" if options.as_json else options.type)
    except ValueError as error:
        raise usage_error(f"the value of '{options.key}' cannot be used", str(error)) from None


def _read_text(options: SecretsSetOptions) -> str:
    if sys.stdin.isatty():
        # Ask twice, as the input is hidden.
        prompt = f"value of {printable(options.key)}"
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt="once more", err=True))
    data = sys.stdin.buffer.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise ValueError(f"it is larger than {FILE_LIMIT >> 10} KiB")
    # `surrogateescape`, because a UnicodeDecodeError would contain the value.
    text = data.decode(errors="surrogateescape")
    if not is_utf8(text):
        raise ValueError("it is not text in UTF-8; base64 makes text of anything")
    newline = "" if options.keep_newline else "\r\n" if text.endswith("\r\n") else "\n"
    return text.removesuffix(newline)


def _file_format(path: str) -> SopsFormat:
    return cast(SopsFormat, path.rpartition(".")[2])
