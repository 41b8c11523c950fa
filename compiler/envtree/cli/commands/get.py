"""Implementation of `envtree get`: one value of a bundle on stdout."""

from pathlib import Path
from typing import Any, NamedTuple

from envtree.cli.support.bundle_run import BundleRun, compute_bundle, missing_key_error
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.session import open_tree
from envtree.model.canonical_json import encode_canonical
from envtree.model.keypath import KeyPath
from envtree.model.resolved import hidden_parts
from envtree.model.value_path import get_by_path
from envtree.output.emit import bundle_data
from envtree.queries.explain import KeyMissingError, explain_bundle
from envtree.queries.explain.key_lookup import parse_key, resolve_key
from envtree.system.console import out


class GetOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    id: str
    key: str
    reveal: bool
    inputs: dict[str, str]
    color: str


def run(options: GetOptions) -> ExitCode:
    """Print one value, or the errors that prevent it."""
    if not is_utf8(options.key):
        raise usage_error("a key is text in UTF-8", "write a variable, or a path such as config.limits.cpu")
    bundle_run = compute_bundle(open_tree(options.directory), options.id, options.inputs, reveal=options.reveal)
    if bundle_run.result is None:
        return bundle_run.report_errors(options.color)
    bundle = bundle_run.result.bundle
    try:
        path = _find_path(bundle_run, options.key)
    except KeyMissingError as missing:
        raise missing_key_error(missing, options.id) from None
    _check_visible(get_by_path(bundle.data, path), options)
    value = get_by_path(bundle_data(bundle, "plain" if options.reveal else None), path)
    out(value.encode() + b"\n" if isinstance(value, str) else encode_canonical(value))
    return ExitCode.OK


def _find_path(bundle_run: BundleRun, key: str) -> KeyPath:
    """Return the path in the bundle that a key names; raise KeyMissingError."""
    assert bundle_run.result
    assert bundle_run.run.workspace
    path = parse_key(key)
    try:
        get_by_path(bundle_run.result.bundle.data, path)
    except KeyError:
        # A variable may be made of a section, and an unknown key gets a suggestion.
        run = bundle_run.run
        explained = explain_bundle(bundle_run.run.workspace, bundle_run.result, run.recorded_inputs())
        if path[0] == "env_vars" and path[-1] in explained.variable_paths:
            return explained.variable_paths[path[-1]]
        resolve_key(explained, key)
        raise KeyMissingError(key, "", ()) from None
    return path


def _check_visible(value: Any, options: GetOptions) -> None:
    """Raise a usage error for a value that cannot be printed without a key or an input."""
    for _, hidden in hidden_parts(value):
        if hidden.secret and not options.reveal:
            raise usage_error(f"'{options.key}' is secret", "add --reveal to decrypt and print it")
        if not hidden.is_known:
            raise usage_error(f"'{options.key}' needs an input that is not set", "pass it with --input NAME=VALUE")
