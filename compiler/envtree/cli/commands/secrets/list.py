"""Implementation of `envtree secrets list`: the secrets of the tree and their uses, on stdout."""

from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.query_answer import has_answer, report_incompleteness, write_answer
from envtree.cli.support.session import open_tree, start_run, tree_request
from envtree.diagnostics.codes import Topic, codes_about
from envtree.diagnostics.summary import plural
from envtree.report.secret_list import render_secret_list
from envtree.secrets.access.secret_list import SecretUses, list_secrets
from envtree.secrets.access.to_json import secret_list_data
from envtree.system.console import err


class SecretsListOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    selectors: tuple[str, ...]
    form: str
    inputs: dict[str, str]
    color: str


def run(options: SecretsListOptions) -> ExitCode:
    """List the secrets, and report the errors that leave some of them uncertain."""
    tree = open_tree(options.directory)
    uses = SecretUses()
    allow_empty = None if options.selectors else True
    with start_run(tree_request(tree, options.selectors, options.inputs, allow_empty=allow_empty)) as run:
        for result in run.results():
            uses.add(result)
    code = report_incompleteness(run, tree, options.color, codes_about(Topic.ACCESS))
    if not has_answer(run, code):
        return code
    secrets = list_secrets(run, uses)
    if options.selectors:
        secrets = tuple(secret for secret in secrets if secret.bundles)
    write_answer(
        options.form,
        options.color,
        lambda: secret_list_data(secrets),
        lambda color: render_secret_list(secrets, run.today, color=color),
    )
    files = len({secret.file for secret in secrets})
    err(f"{plural(len(secrets), 'secret')} in {plural(files, 'file')}\n" if secrets else "there are no secrets\n")
    return code
