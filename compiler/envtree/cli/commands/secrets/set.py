"""Implementation of `envtree secrets set`: write one secret, from stdin or a prompt, to its file."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.query_answer import report_blocking_errors
from envtree.cli.support.secrets_session import CommandStoppedError, SecretsSession, open_secrets_session, parse_key
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Node, ScalarNode
from envtree.model.secrets_file import SCOPE_KEY, DecryptError
from envtree.refactor.inject_secret import InjectionError, inject_secret, injection_target, variable_name
from envtree.secrets.edit.missing_secrets import MissingSecret, find_missing_secrets
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
    file: str | None
    key: str | None
    type: str
    as_json: bool
    keep_newline: bool
    inject: bool
    missing: str | None
    color: str


class _FileChange(NamedTuple):
    """A file to write, its present content if it exists, and the report of the change."""

    path: str
    before: bytes | None
    after: bytes
    report: str


def run(options: SecretsSetOptions) -> ExitCode:
    """Set one value, or ask for all missing ones."""
    if options.missing is not None:
        if options.file is not None:
            raise usage_error("--missing finds the files and keys itself", "leave FILE and KEY out")
        return _set_missing(options, options.missing)
    if options.file is None or options.key is None:
        argument = "KEY" if options.file is not None else "FILE"
        raise usage_error(f"Missing argument '{argument}'.", "name both, or ask for all with --missing SELECTOR")
    return _set_one(options, options.file, options.key, partial(_read_text, options, options.key))


def _set_missing(options: SecretsSetOptions, selector: str) -> ExitCode:
    """Ask for each missing value; an empty answer skips it."""
    tree = open_tree(options.directory)
    with start_run(tree_request(tree, (selector,), allow_empty=None)) as run:
        missing = find_missing_secrets(run)
    if not missing:
        if report_blocking_errors(run, tree, options.color):
            return ExitCode.FAILURE
        err(f"nothing is missing in {plural(len(run.checked), 'bundle')}\n")
        return ExitCode.OK
    if not sys.stdin.isatty():
        err("".join(f"{printable(_describe_missing(secret))}\n" for secret in missing))
        raise usage_error(f"{plural(len(missing), 'value')} missing", "run it on a terminal, which asks for each")
    codes = []
    for secret in missing:
        answer = _ask(f"{_describe_missing(secret)} (nothing: skip)", default="")
        if answer:
            one = options._replace(inject=not secret.is_injected, type="str", as_json=False)
            codes.append(_set_one(one, str(tree.root / secret.file), format_path(secret.key), partial(str, answer)))
    return max(codes, default=ExitCode.OK)


def _describe_missing(secret: MissingSecret) -> str:
    return (
        f"{format_path(secret.key)} in {secret.file}, declared at {secret.declared_at.path}:{secret.declared_at.line}"
    )


def _set_one(options: SecretsSetOptions, file: str, name: str, read_text: Callable[[], str]) -> ExitCode:
    """Set the value, or report the error that prevents it."""
    key = _parse_key(name)
    try:
        session = open_secrets_session(options.directory, options.color)
        path = session.resolve_path(file)
        document = session.read_or_stop(path) if path in session.run.files else None
    except CommandStoppedError:
        return ExitCode.FAILURE
    injection = _plan_injection(session, path, key) if options.inject else None
    value = _read_value(options, name, read_text)
    _check_value(document, path, key, value)
    if injection and isinstance(value, dict | list):
        raise usage_error(f"'{name}' has several values, and a variable one", "leave out --inject")
    try:
        change = _plan_update(session, document, key, value) if document else _plan_file(session, path, key, value)
        return _write_changes(session, change, injection)
    except UnreadableError as error:
        session.print_findings(session.unreadable_findings(error))
        return _report_unchanged(path)
    except DecryptError as error:
        raise error.to_refused_error() from None


def _write_changes(session: SecretsSession, change: _FileChange, injection: _FileChange | None) -> ExitCode:
    """Check and write the secrets file, and then the file with the entry that injects the secret."""
    if not session.check_content(change.path, change.after):
        return _report_unchanged(change.path)
    if injection and not session.check_bundles({change.path: change.after, injection.path: injection.after}):
        return _report_unchanged(change.path)
    for planned in filter(None, (change, injection)):
        if planned.before is None:
            create_file(session.tree.root, planned.path, planned.after)
        elif planned.before != planned.after:
            replace_file(session.tree.root, planned.path, planned.before, planned.after)
        err(f"{planned.report}\n")
    return ExitCode.OK


def _plan_update(session: SecretsSession, document: SopsDocument, key: KeyPath, value: Any) -> _FileChange:
    path = document.file.path
    after = set_value(document, key, value, session.writer)
    verb = _describe_change(document.find_node(key), after.find_node(key))
    return _FileChange(path, document.data, after.data, f"{verb} '{printable(format_path(key))}' in '{path}'")


def _plan_file(session: SecretsSession, path: str, key: KeyPath, value: Any) -> _FileChange:
    readers = find_recipients(session.workspace, session.tree, path, locate_secrets_file(session.tree, path))
    data = encrypt_new_file(path, _file_format(path), key, value, readers.keys, session.writer)
    names = printable(", ".join(readers.names))
    return _FileChange(path, None, data, f"began '{path}' with '{printable(format_path(key))}', for {names}")


def _plan_injection(session: SecretsSession, path: str, key: KeyPath) -> _FileChange:
    """Plan the entry that makes the secret a variable; raise a usage error if there is no place for it."""
    target = injection_target(path, locate_secrets_file(session.tree, path))
    before = session.read_plain(target.path)
    try:
        after = inject_secret(before.decode() if before else "", target, key)
    except InjectionError as error:
        raise usage_error(error.message, error.hint) from None
    name, data = variable_name(key), after.encode()
    verb = "is already injected" if data == before else "is injected"
    return _FileChange(target.path, before, data, f"'{name}' {verb} by '{target.path}'")


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
    key = parse_key(text)
    try:
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


def _read_value(options: SecretsSetOptions, name: str, read_text: Callable[[], str]) -> Any:
    """Read and parse the value."""
    try:
        return parse_value(read_text(), "json" if options.as_json else options.type)
    except ValueError as error:
        raise usage_error(f"the value of '{name}' cannot be used", str(error)) from None


def _read_text(options: SecretsSetOptions, name: str) -> str:
    if sys.stdin.isatty():
        return _ask(f"value of {name}")
    data = sys.stdin.buffer.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise ValueError(f"it is larger than {FILE_LIMIT >> 10} KiB")
    # `surrogateescape`, because a UnicodeDecodeError would contain the value.
    text = data.decode(errors="surrogateescape")
    if not is_utf8(text):
        raise ValueError("it is not text in UTF-8; base64 makes text of anything")
    newline = "" if options.keep_newline else "\r\n" if text.endswith("\r\n") else "\n"
    return text.removesuffix(newline)


def _ask(question: str, default: str | None = None) -> str:
    """Ask for a value, twice, as the input is hidden; the default is taken at once."""
    while True:
        prompt = printable(question)
        answer = str(click.prompt(prompt, default=default, show_default=False, hide_input=True, err=True))
        if answer == default or answer == click.prompt("once more", hide_input=True, err=True):
            return answer
        err("the two entered values do not match\n")


def _file_format(path: str) -> SopsFormat:
    return cast(SopsFormat, path.rpartition(".")[2])
