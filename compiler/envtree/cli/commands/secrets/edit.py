"""`envtree secrets edit`: a secrets file in the user's editor."""

import sys
from pathlib import Path
from typing import NamedTuple

import click

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.cli.support.secrets_session import Desk, Stopped, open_desk
from envtree.diagnostics.printable import printable
from envtree.model.keypath import KeyPath, format_path
from envtree.model.secrets_file import DecryptError
from envtree.secrets.edit.leaves import ciphertext, leaves
from envtree.secrets.edit.reading import Sealed, read
from envtree.secrets.edit.setting import scoped
from envtree.system import atomic_files as exchange


class Options(NamedTuple):
    """The command line."""

    directory: Path
    file: str
    color: str


def run(options: Options) -> Exit:
    """Let the user edit a file, and take over what is right."""
    try:
        desk = open_desk(options.directory, options.color)
        sealed = desk.read(desk.existing(options.file))
        return _edit(desk, sealed)
    except Stopped:
        return Exit.FOUND
    except DecryptError as error:
        raise error.refusal() from None


def _edit(desk: Desk, sealed: Sealed) -> Exit:
    path = sealed.file.path
    data = desk.writer.edit(sealed.file, scoped(sealed, desk.writer).data)
    if data is None:
        err(f"'{path}' is as it was\n")
        return Exit.OK
    while not desk.check(path, data):
        # What has been typed is not lost: it is encrypted in memory.
        if not (sys.stdin.isatty() and click.confirm("open the editor again?", default=True, err=True)):
            err(f"'{path}' is as it was\n")
            return Exit.FOUND
        data = desk.writer.edit(sealed.file, data) or data
    after = read(data, path, sealed.file.location)
    exchange.replace(desk.tree.root, path, sealed.data, data)
    err(f"{printable(_told(sealed, after))} in '{path}'\n")
    return Exit.OK


def _told(before: Sealed, after: Sealed) -> str:
    """What has become of which keys; sops keeps the ciphertexts of what was not touched."""
    old, new = ({path: ciphertext(leaf.node) for path, leaf in leaves(one).items()} for one in (before, after))
    words = [
        _listed("added", new.keys() - old.keys()),
        _listed("changed", {path for path in new.keys() & old.keys() if new[path] != old[path]}),
        _listed("removed", old.keys() - new.keys()),
    ]
    return "; ".join(filter(None, words)) or "changed comments, or the order,"


def _listed(verb: str, paths: set[KeyPath]) -> str:
    names = ", ".join(f"'{format_path(path)}'" for path in sorted(paths))
    return f"{verb} {names}" if names else ""
