"""`envtree matrix`: one key over all bundles, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import Exit
from envtree.cli.support.fleet import answer, refused
from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.session import open_tree, running
from envtree.engine.run import Request
from envtree.queries.explain.key import KeyMissingError
from envtree.queries.fleet.matrix import Matrix, matrix
from envtree.queries.fleet.to_json import matrix_data
from envtree.report.matrix import matrix_text


class Options(NamedTuple):
    """The command line."""

    directory: Path
    key: str
    selectors: tuple[str, ...]
    form: str
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Tell the values of a key."""
    if not is_text(options.key):
        raise usage_error("a key is text in UTF-8", "write a variable, or a path such as config.limits.cpu")
    tree = open_tree(options.directory)
    missing: KeyMissingError | None = None
    found: Matrix | None = None
    with running(Request(tree, options.selectors, options.inputs, allow_empty=None)) as work:
        try:
            found = matrix(work, options.key) if work.workspace else None
        except KeyMissingError as error:
            missing = error
    if refused(work, tree, options.color):
        return Exit.FOUND
    if missing:
        hint = f"did you mean '{missing.meant}'?" if missing.meant else "envtree explain ID lists the keys of a bundle"
        raise usage_error(f"no bundle has '{missing.key}'", hint)
    assert found
    return answer(
        options.form,
        options.color,
        lambda: matrix_data(found),
        lambda color: matrix_text(found, color=color, whole=options.verbose),
    )
