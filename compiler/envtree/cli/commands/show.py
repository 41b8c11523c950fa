"""`envtree show`: one bundle on stdout."""

from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.bundle_run import BundleRun, compute_bundle
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.reveal import check_reveal
from envtree.cli.support.session import open_tree
from envtree.model.canonical_json import encode_canonical
from envtree.model.resolved import Bundle, hidden_parts
from envtree.output.emit import Writers, bundle_json, write_formats
from envtree.output.format_findings import report_format_problems
from envtree.system.console import out


class ShowOptions(NamedTuple):
    """The command line."""

    directory: Path
    id: str
    reveal: bool
    force: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: ShowOptions) -> ExitCode:
    """Print one bundle, or what keeps it from being known."""
    if options.reveal:
        check_reveal("--reveal", force=options.force)
    found = compute_bundle(open_tree(options.directory), options.id, options.inputs, reveal=options.reveal)
    if found.result is None:
        return found.report_errors(options.color)
    shown = (
        encode_canonical(_bundle_data(found.result.bundle, options))
        if options.form == "json"
        else _render_format(found, options)
    )
    if shown is None:
        return found.report_errors(options.color)
    out(shown)
    return ExitCode.OK


def _bundle_data(bundle: Bundle, options: ShowOptions) -> dict[str, Any]:
    data = bundle_json(bundle, "plain" if options.reveal else None)
    if not options.reveal and any(hidden_parts(bundle.data)):
        # The digest is that of the bundle with its secrets.
        data["digest"] = None
    return data | {"envtree": "1"}


def _render_format(bundle_run: BundleRun, options: ShowOptions) -> bytes | None:
    """The one file that a format has; None if the bundle does not fit it."""
    assert bundle_run.result
    assert bundle_run.run.workspace
    resolved, bundle = bundle_run.result
    settings, diags = bundle_run.run.workspace.organization.output, bundle_run.run.diags
    done = write_formats(bundle, "plain" if options.reveal else None, Writers((options.form,), settings))
    before = len(diags)
    report_format_problems(done, resolved, diags)
    return None if bundle_run.run.severities.error_paths(diags.since(before)) else done.files[0][1]
