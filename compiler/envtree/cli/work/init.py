"""`envtree init`: a tree to start from."""

import shlex
from pathlib import Path
from typing import NamedTuple

from envtree import disk
from envtree.cli.console import err, out
from envtree.cli.exits import Exit
from envtree.cli.work.schema import export
from envtree.cli.work.starter import SCHEMAS, files
from envtree.diagnostic import Refusal
from envtree.layout import is_name


class Options(NamedTuple):
    """The command line."""

    directory: Path
    target: Path


def run(options: Options) -> Exit:
    """Write the tree, all of it or nothing."""
    folder = options.directory / options.target
    own = folder.resolve().name.lower()
    tree = files(own if is_name(own) else "my-organization")
    with disk.errors(folder):
        _refuse_existing(folder, [*tree, SCHEMAS])
        for path, content in tree.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            # `x`, for somebody may be faster than the check.
            with (folder / path).open("x", encoding="utf-8", newline="\n") as file:
                file.write(content)
    export(folder / SCHEMAS)
    out("".join(f"{folder / path}\n" for path in tree) + f"{folder / SCHEMAS}/\n")
    err(f"next: {_command(folder, 'check')}, then {_command(folder, 'show default/assistant@production')}\n")
    return Exit.OK


def _refuse_existing(folder: Path, paths: list[str]) -> None:
    existing = [f"'{folder / path}'" for path in paths if (folder / path).exists() or (folder / path).is_symlink()]
    if existing:
        verb = "exists" if len(existing) == 1 else "exist"
        message = f"{', '.join(existing)} {verb}, and nothing is overwritten"
        raise Refusal("ET807", message, "move them away, or choose another folder")


def _command(folder: Path, command: str) -> str:
    where = "" if folder.resolve() == Path.cwd() else f"-C {shlex.quote(str(folder))} "
    return f"'envtree {where}{command}'"
