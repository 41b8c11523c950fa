"""Implementation of `envtree matrix`: the values of one key in all bundles, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.query_answer import report_incompleteness, write_answer
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.queries.explain.key_lookup import KeyMissingError
from envtree.queries.fleet.matrix import Matrix, matrix
from envtree.queries.fleet.to_json import matrix_data
from envtree.report.matrix import render_matrix


class MatrixOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    key: str
    selectors: tuple[str, ...]
    form: str
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: MatrixOptions) -> ExitCode:
    """Report the values of a key."""
    if not is_utf8(options.key):
        raise usage_error("a key is text in UTF-8", "write a variable, or a path such as config.limits.cpu")
    tree = open_tree(options.directory)
    missing_key: KeyMissingError | None = None
    result: Matrix | None = None
    with start_run(tree_request(tree, options.selectors, options.inputs, allow_empty=None)) as run:
        try:
            result = matrix(run, options.key) if run.workspace else None
        except KeyMissingError as error:
            missing_key = error
    code = report_incompleteness(run, tree, options.color)
    if code and (missing_key or not run.checked):
        return code
    if missing_key:
        hint = (
            f"did you mean '{missing_key.suggestion}'?"
            if missing_key.suggestion
            else "envtree explain ID lists the keys of a bundle"
        )
        raise usage_error(f"no bundle has '{missing_key.key}'", hint)
    assert result
    write_answer(
        options.form,
        options.color,
        lambda: matrix_data(result),
        lambda color: render_matrix(result, color=color, verbose=options.verbose),
    )
    return code
