"""`envtree show`: one bundle on stdout."""

from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.console import out
from envtree.cli.support.exits import Exit
from envtree.cli.support.reveal import check_reveal
from envtree.cli.support.session import open_tree
from envtree.cli.support.single import Single, single
from envtree.model.canonical_json import canonical
from envtree.model.resolved import Bundle, hidden_parts
from envtree.output.emit import Writers, materialize, written
from envtree.output.format_findings import report


class Options(NamedTuple):
    """The command line."""

    directory: Path
    id: str
    reveal: bool
    force: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Print one bundle, or what keeps it from being known."""
    if options.reveal:
        check_reveal("--reveal", force=options.force)
    found = single(open_tree(options.directory), options.id, options.inputs, reveal=options.reveal)
    if found.result is None:
        return found.tell(options.color)
    shown = canonical(_data(found.result.bundle, options)) if options.form == "json" else _formatted(found, options)
    if shown is None:
        return found.tell(options.color)
    out(shown)
    return Exit.OK


def _data(bundle: Bundle, options: Options) -> dict[str, Any]:
    data = materialize(bundle, "plain" if options.reveal else None)
    if not options.reveal and any(hidden_parts(bundle.data)):
        # The digest is that of the bundle with its secrets.
        data["digest"] = None
    return data | {"envtree": "1"}


def _formatted(found: Single, options: Options) -> bytes | None:
    """The one file that a format has; None if the bundle does not fit it."""
    assert found.result
    assert found.work.workspace
    resolved, bundle = found.result
    settings, diags = found.work.workspace.organization.output, found.work.diags
    done = written(bundle, "plain" if options.reveal else None, Writers((options.form,), settings))
    before = len(diags)
    report(done, resolved, diags)
    return None if found.work.severities.errors(diags.since(before)) else done.files[0][1]
