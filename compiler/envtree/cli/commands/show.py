"""Implementation of `envtree show`: one bundle on stdout."""

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
    """The parameters of the command."""

    directory: Path
    id: str
    reveal: bool
    force: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: ShowOptions) -> ExitCode:
    """Print one bundle, or the errors that prevent it."""
    if options.reveal:
        check_reveal("--reveal", force=options.force)
    bundle_run = compute_bundle(open_tree(options.directory), options.id, options.inputs, reveal=options.reveal)
    if bundle_run.result is None:
        return bundle_run.report_errors(options.color)
    data = (
        encode_canonical(_bundle_data(bundle_run.result.bundle, options))
        if options.form == "json"
        else _render_format(bundle_run, options)
    )
    if data is None:
        return bundle_run.report_errors(options.color)
    out(data)
    return ExitCode.OK


def _bundle_data(bundle: Bundle, options: ShowOptions) -> dict[str, Any]:
    data = bundle_json(bundle, "plain" if options.reveal else None)
    if not options.reveal and any(hidden_parts(bundle.data)):
        # The digest is of the bundle with its secrets.
        data["digest"] = None
    return data | {"envtree": "1"}


def _render_format(bundle_run: BundleRun, options: ShowOptions) -> bytes | None:
    """Return the file of a format, or None if the bundle cannot be represented in it."""
    assert bundle_run.result
    assert bundle_run.run.workspace
    resolved, bundle = bundle_run.result
    settings, diags = bundle_run.run.workspace.organization.output, bundle_run.run.diags
    written = write_formats(bundle, "plain" if options.reveal else None, Writers((options.form,), settings))
    first_new = len(diags)
    report_format_problems(written, resolved, bundle_run.run.allowed_names, diags)
    return None if bundle_run.run.severities.error_paths(diags.since(first_new)) else written.files[0][1]
