"""`envtree secrets readers`: who can read what, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import Exit
from envtree.cli.support.fleet import answer, refused
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import open_tree, running
from envtree.diagnostics.codes import ABOUT_ACCESS
from envtree.diagnostics.suggest import did_you_mean
from envtree.engine.run import Request
from envtree.report.readers import readers_text
from envtree.secrets.access.readers import Access, Reads, access
from envtree.secrets.access.to_json import access_data


class Options(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    person: str | None
    form: str
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Tell who can read the secrets."""
    tree = open_tree(options.directory)
    reads = Reads()
    with running(Request(tree, options.selectors, options.inputs, allow_empty=None)) as work:
        for result in work.results():
            reads.add(result)
    # That the keys are others than they should be is what is asked for.
    if refused(work, tree, options.color, ABOUT_ACCESS):
        return Exit.FOUND
    found = access(work, reads)
    if options.person is not None:
        found = _only(found, options.person)
    return answer(
        options.form,
        options.color,
        lambda: access_data(found),
        lambda color: readers_text(found, color=color, whole=options.verbose),
    )


def _only(found: Access, name: str) -> Access:
    people = tuple(person for person in found.people if person.name == name)
    if not people:
        hint = did_you_mean(name, [person.name for person in found.people])
        raise usage_error(f"nobody is called '{name}', and no file is encrypted for such a key", hint)
    return found._replace(people=people)
