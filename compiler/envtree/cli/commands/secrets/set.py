"""`envtree secrets set`: one secret, from stdin or a prompt into its file."""

import sys
from pathlib import Path
from typing import Any, NamedTuple, cast

import click

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.secrets_session import Desk, Stopped, open_desk
from envtree.diagnostics.printable import printable
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.nodes import Node, Scalar
from envtree.model.secrets_file import SCOPE, DecryptError
from envtree.secrets.edit import setting
from envtree.secrets.edit.audience import audience
from envtree.secrets.edit.leaves import kinds
from envtree.secrets.edit.place import place
from envtree.secrets.edit.reading import Sealed, UnreadableError
from envtree.secrets.edit.setting import CannotSetError
from envtree.secrets.edit.value import check_path, typed
from envtree.secrets.sops.writing import Format
from envtree.sources.tree import FILE_LIMIT
from envtree.system import atomic_files as exchange


class Options(NamedTuple):
    """The command line."""

    directory: Path
    file: str
    key: str
    type: str
    as_json: bool
    keep_newline: bool
    color: str


def run(options: Options) -> Exit:
    """Set the value, or tell what keeps it from being set."""
    key = _key(options.key)
    try:
        desk = open_desk(options.directory, options.color)
        path = desk.find(options.file)
        sealed = desk.read(path) if path in desk.run.files else None
    except Stopped:
        return Exit.FOUND
    value = _value(options)
    _check(sealed, path, key, value)
    try:
        return _change(desk, sealed, key, value) if sealed else _begin(desk, path, key, value)
    except UnreadableError as error:
        desk.tell(desk.findings(error))
        return _refuse(path)
    except DecryptError as error:
        raise error.refusal() from None


def _change(desk: Desk, sealed: Sealed, key: KeyPath, value: Any) -> Exit:
    path = sealed.file.path
    after = setting.changed(sealed, key, value, desk.writer)
    if not desk.check(path, after.data):
        return _refuse(path)
    exchange.replace(desk.tree.root, path, sealed.data, after.data)
    err(f"{_told(sealed.node(key), after.node(key))} '{printable(format_path(key))}' in '{path}'\n")
    return Exit.OK


def _begin(desk: Desk, path: str, key: KeyPath, value: Any) -> Exit:
    readers = audience(desk.workspace, desk.tree, path, place(desk.tree, path))
    data = setting.new(path, _format(path), key, value, readers.keys, desk.writer)
    if not desk.check(path, data):
        return _refuse(path)
    exchange.create(desk.tree.root, path, data)
    err(f"began '{path}' with '{printable(format_path(key))}', for {printable(', '.join(readers.names))}\n")
    return Exit.OK


def _told(before: Node | None, after: Node | None) -> str:
    """What has been done to a key; another type is easily an oversight."""
    if before is None:
        return "added"
    if isinstance(before, Scalar) and isinstance(after, Scalar) and kinds(before) != kinds(after):
        return f"changed, from {kinds(before)} to {kinds(after)},"
    return "changed"


def _refuse(path: str) -> Exit:
    err(f"'{path}' is as it was\n")
    return Exit.FOUND


def _key(text: str) -> KeyPath:
    if "=" in text:
        # What stands behind it may well be the value.
        raise usage_error("KEY has no '='", "the value comes from stdin, or from a prompt")
    try:
        if not is_text(text):
            raise ValueError("a key is text in UTF-8")
        key = parse_path(text)
        check_path(key)
    except ValueError as wrong:
        raise usage_error(f"'{text}' is not a key of a secrets file", str(wrong)) from None
    return key


def _check(sealed: Sealed | None, path: str, key: KeyPath, value: Any) -> None:
    """A usage error for what cannot stand where it is meant to."""
    home = path.rpartition(".secrets.")[0]
    if key[0] == SCOPE and (len(key) > 1 or value != home):
        raise usage_error(f"'{SCOPE}' says where the file belongs", f"the only value that it may have is '{home}'")
    try:
        setting.check_fits(sealed, _format(path), key, value)
    except CannotSetError as wrong:
        raise usage_error(wrong.message, wrong.hint) from None


def _value(options: Options) -> Any:
    """The value, from wherever it comes."""
    try:
        return typed(_text(options), "json" if options.as_json else options.type)
    except ValueError as wrong:
        raise usage_error(f"the value of '{options.key}' cannot be used", str(wrong)) from None


def _text(options: Options) -> str:
    if sys.stdin.isatty():
        # Asked twice: nobody sees what is typed.
        asked = f"value of {printable(options.key)}"
        return str(click.prompt(asked, hide_input=True, confirmation_prompt="once more", err=True))
    data = sys.stdin.buffer.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise ValueError(f"it is larger than {FILE_LIMIT >> 10} KiB")
    # No exception gets out that carries what could not be decoded.
    text = data.decode(errors="surrogateescape")
    if not is_text(text):
        raise ValueError("it is not text in UTF-8; base64 makes text of anything")
    end = "" if options.keep_newline else "\r\n" if text.endswith("\r\n") else "\n"
    return text.removesuffix(end)


def _format(path: str) -> Format:
    return cast(Format, path.rpartition(".")[2])
