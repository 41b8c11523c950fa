"""`envtree secrets readers`: who can read what, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.query_answer import report_blocking_errors, write_answer
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.diagnostics.codes import ACCESS_CODES
from envtree.diagnostics.suggest import did_you_mean
from envtree.report.readers import render_readers
from envtree.secrets.access.access_report import AccessReport, SecretReads, build_access_report
from envtree.secrets.access.to_json import access_data


class SecretsReadersOptions(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    person: str | None
    form: str
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: SecretsReadersOptions) -> ExitCode:
    """Tell who can read the secrets."""
    tree = open_tree(options.directory)
    reads = SecretReads()
    with start_run(tree_request(tree, options.selectors, options.inputs, allow_empty=None)) as work:
        for result in work.results():
            reads.add(result)
    # That the keys are others than they should be is what is asked for.
    if report_blocking_errors(work, tree, options.color, ACCESS_CODES):
        return ExitCode.FAILURE
    found = build_access_report(work, reads)
    if options.person is not None:
        found = _limit_to_person(found, options.person)
    return write_answer(
        options.form,
        options.color,
        lambda: access_data(found),
        lambda color: render_readers(found, color=color, verbose=options.verbose),
    )


def _limit_to_person(found: AccessReport, name: str) -> AccessReport:
    people = tuple(person for person in found.people if person.name == name)
    if not people:
        hint = did_you_mean(name, [person.name for person in found.people])
        raise usage_error(f"nobody is called '{name}', and no file is encrypted for such a key", hint)
    return found._replace(people=people)
