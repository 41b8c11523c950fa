"""`envtree schema`: the shipped JSON Schemas, on stdout or as files."""

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import click

from envtree import disk
from envtree.cli.console import err, out
from envtree.cli.exits import Exit
from envtree.cli.options import usage_error
from envtree.nearest import did_you_mean
from envtree.report import plural
from envtree.schemas import Schemas, schema_root


class Options(NamedTuple):
    """The command line."""

    directory: Path
    kind: str | None
    export: Path | None


def run(options: Options) -> Exit:
    """Print one schema, list them, or write all of them."""
    schemas = Schemas()
    if options.export:
        if options.kind:
            raise click.UsageError("--export writes all schemas, so name no KIND")
        err(f"wrote {plural(export(options.export), 'schema')} to '{options.export}'\n")
    elif options.kind:
        if options.kind not in schemas.names():
            raise usage_error(f"there is no kind '{options.kind}'", did_you_mean(options.kind, schemas.names()))
        out(schemas.text(options.kind).encode())
    else:
        out("".join(f"{name:<17}{json.loads(schemas.text(name))['title']}\n" for name in schemas.names()))
    return Exit.OK


def export(folder: Path) -> int:
    """Copy all schemas into a folder, those that are only parts of others included; their number."""
    with disk.errors(folder):
        return _copy(schema_root(), folder)


def _copy(source: Traversable, folder: Path) -> int:
    count = 0
    for entry in source.iterdir():
        if entry.is_dir():
            count += _copy(entry, folder / entry.name)
        elif entry.name.endswith(".schema.json"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / entry.name).write_bytes(entry.read_bytes())
            count += 1
    return count
