"""`envtree compile`: bundles into a folder, findings and what was done on stderr."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.artifact import Mode, Output
from envtree.cli.console import out
from envtree.cli.exits import Exit, verdict
from envtree.cli.options import usage_error
from envtree.cli.progress import progress
from envtree.cli.work.defaults import Defaults, defaults
from envtree.cli.work.session import (
    Environ,
    Messages,
    decrypter,
    open_tree,
    report_of,
    telling,
    usage_errors,
    view_of,
)
from envtree.cli.work.since import affected_since
from envtree.diagnostic import Refusal
from envtree.disk import FILE_BITS
from envtree.pipeline import Beside, Outcome, Request, alone, publish, verify
from envtree.printable import printable
from envtree.report import Report, plural, tally
from envtree.tree import DirectoryTree


class Options(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    output: Path | None
    secrets: Mode | None
    formats: tuple[str, ...]
    form: str | None
    provenance: bool
    only_check: bool
    since: str | None
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    color: str
    verbose: bool


def run(options: Options) -> Exit:
    """Compile the tree, or compare it with what is written."""
    with telling(options.form):
        return _run(options)


def _run(options: Options) -> Exit:
    tree = open_tree(options.directory)
    view = view_of(tree, verbose=options.verbose)
    messages = Messages(view, options.form, options.color, sys.stderr)
    preset = defaults(tree)
    mode = _mode(options, preset)
    output = Output(_folder(options, preset, tree), tree.root, mode, EDITION, {}, lambda _: True)
    formats = frozenset({"bundle", *(options.formats or preset.formats)})
    work = verify if options.only_check else publish
    with usage_errors(), progress(sys.stderr) as told:
        request = _request(options, tree, mode)._replace(progress=told)
        if options.since:
            request = affected_since(request, options.since)
        outcome = work(request, output, formats, _beside(options, output))
    return _conclude(options, messages, outcome, output)


def _beside(options: Options, output: Output) -> Beside:
    """What lies beside each bundle; few ask for anything, and all would wait for it to load."""
    beside: Beside = alone
    if options.provenance:
        from envtree.explain.provenance import provenance  # noqa: PLC0415

        beside = provenance
    if output.mode == "seal":
        from envtree.seal import sealing  # noqa: PLC0415

        beside = sealing(beside, output, only_check=options.only_check)
    return beside


def _request(options: Options, tree: DirectoryTree, mode: Mode) -> Request:
    return Request(
        tree,
        options.selectors,
        options.inputs,
        Environ(),
        None if mode == "ref" else decrypter(tree),
        inputs_required=True,
        strict=options.strict,
        allow_empty=options.allow_empty,
    )


def _mode(options: Options, preset: Defaults) -> Mode:
    mode = options.secrets or preset.secrets
    if mode not in FILE_BITS:
        raise usage_error(f"organization.yaml asks for secrets '{mode}', which is not available", "use --secrets")
    return mode


def _folder(options: Options, preset: Defaults, tree: DirectoryTree) -> Path:
    """Where to write, as short as it can be said from here."""
    if options.output:
        return options.output
    folder, here = tree.root / preset.directory, Path.cwd()
    # Who may change a file of the tree must not choose what is overwritten elsewhere.
    if not folder.resolve().is_relative_to(tree.root):
        message = f"the output folder '{preset.directory}' of organization.yaml lies outside the tree"
        raise Refusal("ET806", message, "name a folder inside it, or use -o")
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _conclude(options: Options, messages: Messages, outcome: Outcome, output: Output) -> Exit:
    found = verdict(outcome.findings, strict=options.strict)
    # A comparison that errors cut short says nothing.
    differences = () if found else outcome.differences
    report = report_of(outcome, differences if options.only_check else None)
    messages.tell(report)
    if not messages.for_program:
        out("".join(f"{printable(path)}\n" for path in differences))
    messages.conclude(report, _sentence(options, report, found, output))
    return found or (Exit.FOUND if differences else Exit.OK)


def _sentence(options: Options, report: Report, found: Exit, output: Output) -> str:
    bundles, warnings = plural(len(report.checked), "bundle"), tally(report)
    added = "" if warnings == "no errors" else f": {warnings}"
    if found:
        return f"compared nothing{added}" if options.only_check else f"wrote nothing{added}"
    if not options.only_check:
        return f"wrote {bundles} to '{output.folder}'{added}"
    if report.differences:
        return f"{plural(len(report.differences), 'file')} in '{output.folder}' would change{added}"
    return f"{bundles} in '{output.folder}' are up to date{added}"
