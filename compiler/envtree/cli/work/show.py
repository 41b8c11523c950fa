"""`envtree show`: one bundle on stdout."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

from envtree.canonical import canonical
from envtree.cli.console import out
from envtree.cli.exits import Exit, verdict
from envtree.cli.options import usage_error
from envtree.cli.progress import progress
from envtree.cli.work.session import Environ, Messages, decrypter, open_tree, report_of, usage_errors, view_of
from envtree.diagnostic import Refusal
from envtree.emit import materialize
from envtree.emit.compose import compose
from envtree.nearest import did_you_mean
from envtree.pipeline import Request, Run
from envtree.resolved import Bundle, Hidden


class Options(NamedTuple):
    """The command line."""

    directory: Path
    id: str
    reveal: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Print one bundle, or what keeps it from being known."""
    tree = open_tree(options.directory)
    request = Request(
        tree,
        (options.id,),
        options.inputs,
        Environ(),
        decrypter(tree) if options.reveal else None,
        inputs_required=options.reveal,
        # Whether there is such a bundle is asked here.
        allow_empty=True,
    )
    with usage_errors(), progress(sys.stderr) as told:
        work = Run(request._replace(progress=told))
        _check_id(options.id, work)
        before = len(work.diags)
        bundle = next(work.bundles(), None)
    # What is wrong elsewhere in the tree is no reason to be silent about this bundle, unless nothing is decrypted then.
    broken = bool(work.severities.errors(work.diags.since(before))) or (options.reveal and work.watch.found())
    if bundle is None or broken:
        report = report_of(work.outcome())
        Messages(view_of(tree), "text", options.color, sys.stderr).tell(report)
        return verdict(report.findings)
    out(_env(bundle, options) if options.form == "compose" else canonical(_data(bundle, options)))
    return Exit.OK


def _check_id(id: str, work: Run) -> None:
    if work.workspace and id not in work.ids:
        raise usage_error(f"there is no bundle '{id}'", did_you_mean(id, work.ids))


def _data(bundle: Bundle, options: Options) -> dict[str, Any]:
    data = materialize(bundle, "plain" if options.reveal else None)
    if not options.reveal and _hides(bundle.data):
        # The digest is that of the bundle with its secrets.
        data["digest"] = None
    return data | {"envtree": "1"}


def _env(bundle: Bundle, options: Options) -> bytes:
    values = _data(bundle, options)["env_vars"]
    known = {name: value for name, value in values.items() if value is not None}
    missing = values.keys() - known
    try:
        return compose(known, [*missing & {*bundle.sensitive}], [*missing - {*bundle.sensitive}])
    except ValueError as wrong:
        raise Refusal("ET803", f"{wrong}, in bundle '{bundle.target.id}'", "use --format json") from None


def _hides(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_hides, value.values()))
    if isinstance(value, list):
        return any(map(_hides, value))
    return isinstance(value, Hidden)
