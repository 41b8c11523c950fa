"""Implementation of `envtree schema`: print the JSON Schemas of envtree, or write them to files."""

import json
from pathlib import Path
from typing import NamedTuple

import click

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.diagnostics.printable import printable
from envtree.diagnostics.suggest import did_you_mean
from envtree.diagnostics.summary import plural
from envtree.frontend.schemas import Schemas
from envtree.system import disk
from envtree.system.console import err, out


class SchemaOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    kind: str | None
    export: Path | None


def run(options: SchemaOptions) -> ExitCode:
    """Print one schema, list all kinds, or write all schemas."""
    schemas = Schemas()
    if options.export:
        if options.kind:
            raise click.UsageError("--export writes all schemas, so name no KIND")
        files = schema_files(schemas)
        _write_schemas(files, options.export)
        err(f"wrote {plural(len(files), 'schema')} to '{printable(str(options.export))}'\n")
    elif options.kind:
        if options.kind not in schemas.names():
            raise usage_error(f"there is no kind '{options.kind}'", did_you_mean(options.kind, schemas.names()))
        out(schemas.text(options.kind).encode())
    else:
        width = max(map(len, schemas.names())) + 2
        out("".join(f"{name:<{width}}{json.loads(schemas.text(name))['title']}\n" for name in schemas.names()))
    return ExitCode.OK


def schema_files(schemas: Schemas) -> dict[str, str]:
    """Return all schemas by file name; each is self-contained."""
    return {f"{name}.schema.json": schemas.text(name) for name in schemas.names()}


def _write_schemas(files: dict[str, str], folder: Path) -> None:
    with disk.translate_os_errors(folder):
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
