"""Implementation of `envtree explain`: the origin of the values of one bundle, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.bundle_run import compute_bundle, missing_key_error
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.session import open_tree
from envtree.diagnostics.printable_documents import json_document
from envtree.queries.explain import ExplainedBundle, KeyMissingError, explain, explain_bundle, layer_order, overview
from envtree.queries.explain.provenance_model import Provenance
from envtree.queries.explain.to_json import explanation_data, order_data, overview_data
from envtree.report.explain_text import render_layer_order, render_overview, render_provenance
from envtree.system.console import out, should_color, write_styled


class ExplainOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    id: str
    key: str | None
    layers: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: ExplainOptions) -> ExitCode:
    """Explain one bundle, or report the errors that prevent it."""
    if options.layers and options.key is not None:
        raise usage_error("--layers is about the whole bundle", "leave out the key")
    if options.key is None and "@" not in options.id and "/" not in options.id:
        raise usage_error(
            f"'{options.id}' is no bundle", f"a key in all bundles is shown by: envtree matrix {options.id}"
        )
    tree = open_tree(options.directory)
    bundle_run = compute_bundle(tree, options.id, options.inputs, reveal=False)
    if bundle_run.result is None or bundle_run.run.workspace is None:
        return bundle_run.report_errors(options.color)
    _write_answer(
        explain_bundle(bundle_run.run.workspace, bundle_run.result, bundle_run.run.recorded_inputs()), options
    )
    return ExitCode.OK


def _write_answer(bundle: ExplainedBundle, options: ExplainOptions) -> None:
    as_text, color = options.form == "text", should_color(sys.stdout, options.color)
    if options.layers:
        layers = layer_order(bundle)
        _write(render_layer_order(layers) if as_text else json_document(order_data(options.id, layers)))
    elif options.key is None:
        lines = overview(bundle)
        _write(render_overview(lines, color=color) if as_text else json_document(overview_data(options.id, lines)))
    else:
        provenance = _explain_key(bundle, options.id, options.key)
        text = render_provenance(options.id, provenance, color=color)
        _write(text if as_text else json_document(explanation_data(options.id, provenance)))


def _explain_key(bundle: ExplainedBundle, id: str, key: str) -> Provenance:
    if not is_utf8(key):
        raise usage_error("a key is text in UTF-8", "write a variable, or a path such as config.limits.cpu")
    try:
        return explain(bundle, key)
    except KeyMissingError as missing:
        raise missing_key_error(missing, id) from None


def _write(answer: str | bytes) -> None:
    if isinstance(answer, bytes):
        out(answer)
    else:
        write_styled(sys.stdout, answer)
