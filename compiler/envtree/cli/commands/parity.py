"""`envtree parity`: two environments side by side, on stdout."""

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
    """The command line."""

    directory: Path
    one: str
    other: str
    selectors: tuple[str, ...]
    form: str
    detailed: bool
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: ParityOptions) -> ExitCode:
    """Compare two environments."""
    names = (options.one, options.other)
    if options.one == options.other or not all(map(is_utf8, names)):
        raise usage_error("two environments are compared", "name two, such as staging and production")
    tree = open_tree(options.directory)
    # Selectors choose agents, whose bundles of both environments are needed.
    both = tuple(f"**@{name}" for name in names)
    with start_run(tree_request(tree, both, options.inputs, allow_empty=True)) as work:
        _check_environments(work, options)
        found = parity(work, *names, compile_selector(options.selectors)) if work.workspace else None
    if report_blocking_errors(work, tree, options.color):
        return ExitCode.FAILURE
    assert found
    write_answer(
        options.form,
        options.color,
        lambda: parity_data(found),
        lambda color: render_parity(found, color=color, verbose=options.verbose),
    )
    return ExitCode.DIFFERENCES if options.detailed and found.has_differences else ExitCode.OK


def _check_environments(work: Run, options: ParityOptions) -> None:
    """Whether there are such environments, and such bundles of them."""
    if work.workspace is None:
        return
    known: dict[str, Environment] = {}
    for one in (*(project.environments for project in work.workspace.projects), work.workspace.environments):
        known |= one
    living = [name for name, environment in known.items() if not environment.abstract]
    for name in (options.one, options.other):
        if name not in known:
            raise usage_error(f"there is no environment '{name}'", did_you_mean(name, living))
        if name not in living:
            raise usage_error(f"environment '{name}' is abstract and has no bundles", did_you_mean("", living))
    check_selectors(options.selectors, work.selected, work.diags, has_option=False)
