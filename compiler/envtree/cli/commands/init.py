"""Implementation of `envtree init`: write a small tree to start from."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from envtree.cli.commands.schema import schema_files
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.starter_tree import starter_files
from envtree.diagnostics.printable import printable
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import RefusedError
from envtree.model.tree_layout import SCHEMA_FOLDER, is_valid_name
from envtree.system import disk
from envtree.system.console import err, out


class InitOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    target: Path


def run(options: InitOptions) -> ExitCode:
    """Write all files of the tree, or none."""
    folder = options.directory / options.target
    folder_name = folder.resolve().name.lower()
    tree = starter_files(folder_name if is_valid_name(folder_name) else "my-organization")
    schemas = {f"{SCHEMA_FOLDER}/{name}": text for name, text in schema_files(Schemas()).items()}
    with disk.translate_os_errors(folder):
        _refuse_existing(folder, [*tree, SCHEMA_FOLDER])
        _write_files({folder / path: content for path, content in (tree | schemas).items()})
    out("".join(f"{printable(str(folder / path))}\n" for path in tree) + f"{printable(str(folder / SCHEMA_FOLDER))}/\n")
    err(f"next: {_command_line(folder, 'check')}\nthen: {_command_line(folder, 'show default/assistant@production')}\n")
    return ExitCode.OK


def _refuse_existing(folder: Path, paths: list[str]) -> None:
    existing = [f"'{folder / path}'" for path in paths if (folder / path).exists() or (folder / path).is_symlink()]
    if existing:
        verb = "exists" if len(existing) == 1 else "exist"
        message = f"{', '.join(existing)} {verb}, and nothing is overwritten"
        raise RefusedError("ET807", message, "move them away, or choose another folder")


def _write_files(contents: dict[Path, str]) -> None:
    created: list[Path] = []
    try:
        for path, content in contents.items():
            for folder in reversed([parent for parent in path.parents if not parent.exists()]):
                folder.mkdir()
                created.append(folder)
            # Mode `x`: the file may have been created since the check.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                created.append(path)
                file.write(content)
    except BaseException:
        for path in reversed(created):
            # Keep new folders in which another process has created files.
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        raise


def _command_line(folder: Path, command: str) -> str:
    option = "" if folder.resolve() == Path.cwd() else f"-C {printable(shlex.quote(str(folder)))} "
    return f"envtree {option}{command}"
