"""Implementation of `envtree parity`: the differences between two environments, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import is_utf8, usage_error
from envtree.cli.support.query_answer import report_blocking_errors, write_answer
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.run import Run
from envtree.engine.selection import check_selectors
from envtree.model.selector import compile_selector
from envtree.model.workspace import Environment
from envtree.queries.fleet.parity import parity
from envtree.queries.fleet.to_json import parity_data
from envtree.report.parity import render_parity


class ParityOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    first: str
    second: str
    selectors: tuple[str, ...]
    form: str
    detailed: bool
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: ParityOptions) -> ExitCode:
    """Compare two environments."""
    names = (options.first, options.second)
    if options.first == options.second or not all(map(is_utf8, names)):
        raise usage_error("two environments are compared", "name two, such as staging and production")
    tree = open_tree(options.directory)
    # The selectors of the command line select agents; their bundles of both environments are needed.
    selectors = tuple(f"**@{name}" for name in names)
    with start_run(tree_request(tree, selectors, options.inputs, allow_empty=True)) as run:
        _check_environments(run, options)
        differences = parity(run, *names, compile_selector(options.selectors)) if run.workspace else None
    if report_blocking_errors(run, tree, options.color):
        return ExitCode.FAILURE
    assert differences
    write_answer(
        options.form,
        options.color,
        lambda: parity_data(differences),
        lambda color: render_parity(differences, color=color, verbose=options.verbose),
    )
    return ExitCode.CHANGES if options.detailed and differences.has_differences else ExitCode.OK


def _check_environments(run: Run, options: ParityOptions) -> None:
    """Raise a usage error for unknown or abstract environments, and report selectors that match no bundle."""
    if run.workspace is None:
        return
    environments: dict[str, Environment] = {}
    for declared in (*(project.environments for project in run.workspace.projects), run.workspace.environments):
        environments |= declared
    targets = [name for name, environment in environments.items() if not environment.abstract]
    for name in (options.first, options.second):
        if name not in environments:
            raise usage_error(f"there is no environment '{name}'", did_you_mean(name, targets))
        if name not in targets:
            raise usage_error(f"environment '{name}' is abstract and has no bundles", did_you_mean("", targets))
    check_selectors(options.selectors, run.selected, run.diags, has_option=False)
