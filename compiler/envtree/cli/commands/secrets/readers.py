"""Implementation of `envtree secrets readers`: who can read which secrets, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.query_answer import has_answer, report_incompleteness, write_answer
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.diagnostics.codes import Topic, codes_about
from envtree.diagnostics.suggest import did_you_mean
from envtree.report.readers import render_readers
from envtree.secrets.access.access_report import AccessReport, SecretReads, build_access_report
from envtree.secrets.access.to_json import access_data


class SecretsReadersOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    selectors: tuple[str, ...]
    person: str | None
    form: str
    verbose: bool
    inputs: dict[str, str]
    color: str


def run(options: SecretsReadersOptions) -> ExitCode:
    """Report who can read the secrets of the selected bundles."""
    tree = open_tree(options.directory)
    reads = SecretReads()
    with start_run(tree_request(tree, options.selectors, options.inputs, allow_empty=None)) as run:
        for result in run.results():
            reads.add(result)
    # Errors about access do not prevent the answer: they are part of it.
    code = report_incompleteness(run, tree, options.color, codes_about(Topic.ACCESS))
    if not has_answer(run, code):
        return code
    access = build_access_report(run, reads)
    if options.person is not None:
        access = _limit_to_person(access, options.person)
    write_answer(
        options.form,
        options.color,
        lambda: access_data(access),
        lambda color: render_readers(access, color=color, verbose=options.verbose),
    )
    return code


def _limit_to_person(access: AccessReport, name: str) -> AccessReport:
    people = tuple(person for person in access.people if person.name == name)
    if not people:
        hint = did_you_mean(name, [person.name for person in access.people])
        raise usage_error(f"nobody is called '{name}', and no file is encrypted for such a key", hint)
    return access._replace(people=people)
