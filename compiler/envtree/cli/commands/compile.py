"""`envtree compile`: bundles into a folder, findings and what was done on stderr."""

import os
import re
import sys
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.changed_since import limit_to_affected
from envtree.cli.support.compile_plan import CompilePlan
from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import (
    Environ,
    ReportPrinter,
    build_report,
    decrypter_factory,
    make_render_options,
    open_tree,
    report_errors_as,
    translate_input_errors,
    tree_request,
)
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import RunReport, count_summary, plural
from envtree.engine.cache.replay_cache import ReplayCache
from envtree.engine.publish import (
    PROJECT_PLACEHOLDER,
    AddFiles,
    Destinations,
    ReceiptFactory,
    check_outputs,
    publish,
    without_extra_files,
)
from envtree.engine.request import Request, RunOutcome
from envtree.frontend.parse import parse
from envtree.model.artifact import Output, SecretsMode
from envtree.model.diagnostic import Diagnostics, RefusedError
from envtree.model.fields import get_field, get_text, get_text_scalars
from envtree.model.formats import DEFAULT_FORMATS, WHOLE_TREE_FORMATS
from envtree.model.source import Kind, Location, Source
from envtree.model.tree_layout import ROOT_FILE
from envtree.sources.shard import Shard, make_shard
from envtree.sources.tree import DirectoryTree, Tree
from envtree.system.archive import ARCHIVE_SUFFIXES, is_archive
from envtree.system.console import out
from envtree.system.disk import FILE_BITS
from envtree.system.workers import process_count

_ROOT_LOCATION = Location(Kind.ORGANIZATION, "", "", "")


class OutputDefaults(NamedTuple):
    """The defaults of `compile`; `directory` is relative to the tree's root."""

    directory: str = "out"
    secrets: str = "plain"
    formats: tuple[str, ...] = DEFAULT_FORMATS


def load_output_defaults(tree: DirectoryTree) -> OutputDefaults:
    """The tree's defaults; a file that cannot be read says nothing here, and everything in the run itself."""
    data = tree.read(ROOT_FILE)
    if not isinstance(data, bytes):
        return OutputDefaults()
    document = parse(Source(ROOT_FILE, _ROOT_LOCATION, data, ""), Diagnostics())
    formats = get_field(document, "output", "formats")
    return OutputDefaults(
        get_text(get_field(document, "output", "directory")) or OutputDefaults().directory,
        get_text(get_field(document, "output", "secrets")) or OutputDefaults().secrets,
        tuple(str(item.value) for item in get_text_scalars(formats)) if formats else DEFAULT_FORMATS,
    )


class CompileOptions(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    output: Path | None
    archive: Path | None
    split: Path | None
    receipt: bool
    secrets: SecretsMode | None
    formats: tuple[str, ...]
    form: str | None
    provenance: bool
    only_check: bool
    part: tuple[int, int] | None
    since: str | None
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    jobs: int | None
    color: str
    verbose: bool
    replay_cache: ReplayCache | None


def run(options: CompileOptions) -> ExitCode:
    """Compile the tree, or compare it with what is written."""
    with report_errors_as(options.form):
        return _compile(options)


def _compile(options: CompileOptions) -> ExitCode:
    tree = open_tree(options.directory)
    # The lines that are shown are remembered, too.
    view = make_render_options(options.replay_cache.tree if options.replay_cache else tree, verbose=options.verbose)
    messages = ReportPrinter(view, options.form, options.color, sys.stderr)
    request, places, formats, beside = make_compile_plan(options, tree)
    work = check_outputs if options.only_check else publish
    with translate_input_errors(), show_progress(sys.stderr) as told:
        part = make_shard(tree, *options.part) if options.part else None
        made_from, read = _open_receipts(options, tree, part)
        request = request._replace(progress=told, shard=part, jobs=process_count(options.jobs))
        if options.since is not None:
            request = limit_to_affected(request, options.since)
        request = (
            options.replay_cache.with_project_cache(request) if options.replay_cache else request._replace(tree=read)
        )
        outcome = work(request, places, formats, beside, made_from)

    def say() -> int:
        return _report_outcome(options, messages, outcome, places)

    # What lies sealed beside the bundles has been decided by a key.
    memory = options.replay_cache if places.primary.mode != "seal" else None
    return ExitCode(memory.report_and_store(outcome, places.folder, say) if memory else say())


def make_compile_plan(options: CompileOptions, tree: DirectoryTree) -> CompilePlan:
    """What to compile, where to and as what."""
    preset = load_output_defaults(tree)
    _check_whole_tree_formats(options)
    places = _choose_places(options, preset, tree)
    formats = frozenset({"bundle", *(options.formats or preset.formats)})
    return CompilePlan(_make_request(options, tree, places), places, formats, _choose_extras(options, places))


def _check_whole_tree_formats(options: CompileOptions) -> None:
    """What is made of the whole tree is not made of a part, and goes into no archive of a part."""
    asked = sorted(WHOLE_TREE_FORMATS.intersection(options.formats))
    ways = {"--shard": options.part, "--changed-since": options.since, "a selector": options.selectors}
    part = next((way for way, given in ways.items() if given), None)
    if asked and part:
        raise usage_error(f"--format {asked[0]} is of the whole tree, and {part} selects a part", "leave one out")
    if asked and PROJECT_PLACEHOLDER in str(options.archive or ""):
        message = f"--format {asked[0]} is of the whole tree, and '{options.archive}' is one for each project"
        raise usage_error(message, "leave one out")


def _choose_places(options: CompileOptions, defaults: OutputDefaults, tree: DirectoryTree) -> Destinations:
    mode = _secrets_mode(options, defaults)
    if options.split and mode != "plain":
        raise usage_error(f"--split parts what is in clear, and --secrets {mode} writes no secret so", "leave one out")
    if options.archive and not is_archive(options.archive):
        raise usage_error(
            f"'{options.archive}' is no archive that can be made", f"end it in {' or '.join(ARCHIVE_SUFFIXES)}"
        )
    _check_archive_pattern(options.archive)
    shown: SecretsMode = "ref" if options.split else mode

    def at(folder: Path | None, mode: SecretsMode = shown) -> Output | None:
        return Output(folder, tree.root, mode, EDITION, {}, lambda _: True) if folder else None

    folder = None if options.archive and not options.output else _output_folder(options, defaults, tree)
    places = Destinations(at(folder), at(options.archive), at(options.split, "plain"))
    _check_disjoint(places)
    return places


def _check_archive_pattern(archive: Path | None) -> None:
    """An archive has a name of its own, or one for each project."""
    for found in re.findall(r"\{\w*\}", str(archive or "")):
        if found != PROJECT_PLACEHOLDER:
            raise usage_error(
                f"'{found}' in '{archive}' stands for nothing", f"write {PROJECT_PLACEHOLDER}, or another name"
            )


def _check_disjoint(places: Destinations) -> None:
    """No place lies in another: what one run writes there the other would remove, or publish."""
    found = [Path(os.path.abspath(place.folder)).resolve() for place in (places.folder, places.secret) if place]
    archive = [Path(os.path.abspath(places.archive.folder)).resolve()] if places.archive else []
    for one, other in permutations((*found, *archive), 2):
        if one.is_relative_to(other):
            raise usage_error(f"'{one}' lies in '{other}'", "choose places beside each other")


def _open_receipts(
    options: CompileOptions, tree: DirectoryTree, part: Shard | None
) -> tuple[ReceiptFactory | None, Tree]:
    """What notes where the bundles come from, and the tree for a run that it can be told of."""
    if not options.receipt:
        return None, tree
    from envtree.delivery.receipt import record_receipt  # noqa: PLC0415

    found = record_receipt(tree, part)
    return found.make_receipts, found.tree


def _choose_extras(options: CompileOptions, places: Destinations) -> AddFiles:
    """What lies beside each bundle; few ask for anything, and all would wait for it to load."""
    beside: AddFiles = without_extra_files
    if options.provenance:
        from envtree.queries.explain.provenance_file import attach_provenance  # noqa: PLC0415

        beside = attach_provenance
    if places.primary.mode == "seal":
        from envtree.secrets.seal import add_sealed_files  # noqa: PLC0415

        beside = add_sealed_files(beside, places.primary, only_check=options.only_check)
    return beside


def _make_request(options: CompileOptions, tree: DirectoryTree, places: Destinations) -> Request:
    keyless = places.primary.mode == "ref" and not places.secret
    return tree_request(
        tree,
        options.selectors,
        options.inputs,
        Environ(),
        None if keyless else decrypter_factory(tree),
        require_inputs=True,
        strict=options.strict,
        allow_empty=options.allow_empty,
    )


def _secrets_mode(options: CompileOptions, defaults: OutputDefaults) -> SecretsMode:
    mode = options.secrets or defaults.secrets
    if mode not in FILE_BITS:
        raise usage_error(f"organization.yaml asks for secrets '{mode}', which is not available", "use --secrets")
    return mode


def _output_folder(options: CompileOptions, defaults: OutputDefaults, tree: DirectoryTree) -> Path:
    """Where to write, as short as it can be said from here."""
    if options.output:
        return options.output
    folder, here = tree.root / defaults.directory, Path.cwd()
    # Who may change a file of the tree must not choose what is overwritten elsewhere.
    if not folder.resolve().is_relative_to(tree.root):
        message = f"the output folder '{defaults.directory}' of organization.yaml lies outside the tree"
        raise RefusedError("ET806", message, "name a folder inside it, or use -o")
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _report_outcome(
    options: CompileOptions, messages: ReportPrinter, outcome: RunOutcome, places: Destinations
) -> ExitCode:
    found = exit_code_for(outcome.findings, strict=options.strict)
    # A comparison that errors cut short says nothing.
    differences = () if found else outcome.differences
    report = build_report(outcome, differences if options.only_check else None)
    messages.print_report(report)
    if not messages.is_machine_readable:
        out("".join(f"{printable(path)}\n" for path in differences))
    messages.print_summary(report, _summary(options, report, found, places))
    return found or (ExitCode.FAILURE if differences else ExitCode.OK)


def _summary(options: CompileOptions, report: RunReport, code: ExitCode, places: Destinations) -> str:
    bundles, warnings = plural(len(report.checked_bundles), "bundle"), count_summary(report)
    added = "" if warnings == "no errors" else f": {warnings}"
    where = " and ".join(f"'{place.folder}'" for place in (places.folder, places.archive) if place)
    if places.secret:
        where += f", and their secrets to '{places.secret.folder}'" if not options.only_check else ""
    if code:
        return f"compared nothing{added}" if options.only_check else f"wrote nothing{added}"
    if not options.only_check:
        return f"wrote {bundles} to {where}{added}"
    if report.differences:
        return f"{plural(len(report.differences), 'file')} in {where} would change{added}"
    return f"{bundles} in {where} are up to date{added}"
