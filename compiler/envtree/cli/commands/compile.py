"""Implementation of `envtree compile`: write bundles to a folder or archive, findings and a summary on stderr."""

import os
import re
import sys
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.changed_since import limit_to_affected
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
    CompilePlan,
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
    """Defaults of the options of `compile`; `directory` is relative to the root of the tree."""

    directory: str = "out"
    secrets: str = "plain"
    formats: tuple[str, ...] = DEFAULT_FORMATS


def load_output_defaults(tree: DirectoryTree) -> OutputDefaults:
    """Return the defaults of organization.yaml; problems of the file are ignored here, and reported by the run."""
    data = tree.read(ROOT_FILE)
    if not isinstance(data, bytes):
        return OutputDefaults()
    document = parse(Source(ROOT_FILE, _ROOT_LOCATION, data, ""), Diagnostics())
    formats = get_field(document, "output", "formats")
    return OutputDefaults(
        directory=get_text(get_field(document, "output", "directory")) or OutputDefaults().directory,
        secrets=get_text(get_field(document, "output", "secrets")) or OutputDefaults().secrets,
        formats=tuple(str(item.value) for item in get_text_scalars(formats)) if formats else DEFAULT_FORMATS,
    )


class CompileOptions(NamedTuple):
    """The parameters of the command."""

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
    shard: tuple[int, int] | None
    since: str | None
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    jobs: int | None
    color: str
    verbose: bool
    replay_cache: ReplayCache | None


def run(options: CompileOptions) -> ExitCode:
    """Compile the tree, or with --check compare it with the existing output."""
    with report_errors_as(options.form):
        return _compile(options)


def _compile(options: CompileOptions) -> ExitCode:
    tree = open_tree(options.directory)
    # The replay depends on the source lines that are shown, so they are read through the recording tree.
    recorded_tree = options.replay_cache.tree if options.replay_cache else tree
    printer = ReportPrinter(
        make_render_options(recorded_tree, verbose=options.verbose), options.form, options.color, sys.stderr
    )
    plan = make_compile_plan(options, tree)
    write_or_check = check_outputs if options.only_check else publish
    with translate_input_errors(), show_progress(sys.stderr) as progress:
        shard = make_shard(tree, *options.shard) if options.shard else None
        receipt_factory, source_tree = _open_receipts(options, tree, shard)
        request = plan.request._replace(progress=progress, shard=shard, jobs=process_count(options.jobs))
        if options.since is not None:
            request = limit_to_affected(request, options.since)
        request = (
            options.replay_cache.with_project_cache(request)
            if options.replay_cache
            else request._replace(tree=source_tree)
        )
        outcome = write_or_check(plan._replace(request=request, receipt_factory=receipt_factory))

    def report() -> int:
        return _report_outcome(options, printer, outcome, plan.destinations)

    # Whether sealed files are up to date depends on a key, which the cache does not record.
    cache = options.replay_cache if plan.destinations.primary.mode != "seal" else None
    return ExitCode(cache.report_and_store(outcome, plan.destinations.folder, report) if cache else report())


def make_compile_plan(options: CompileOptions, tree: DirectoryTree) -> CompilePlan:
    """Return the request, destinations and formats of a command line, with the defaults of the tree."""
    defaults = load_output_defaults(tree)
    _check_whole_tree_formats(options)
    destinations = _choose_destinations(options, defaults, tree)
    formats = frozenset({"bundle", *(options.formats or defaults.formats)})
    request = _make_request(options, tree, destinations)
    return CompilePlan(request, destinations, formats, _choose_extra_files(options, destinations))


def _check_whole_tree_formats(options: CompileOptions) -> None:
    """Raise a usage error for formats of the whole tree together with an option that limits the run or an archive."""
    whole_tree = sorted(WHOLE_TREE_FORMATS.intersection(options.formats))
    limits = {"--shard": options.shard, "--changed-since": options.since, "a selector": options.selectors}
    limit = next((name for name, value in limits.items() if value), None)
    if whole_tree and limit:
        raise usage_error(f"--format {whole_tree[0]} is of the whole tree, and {limit} selects a part", "leave one out")
    if whole_tree and PROJECT_PLACEHOLDER in str(options.archive or ""):
        message = f"--format {whole_tree[0]} is of the whole tree, and '{options.archive}' is one for each project"
        raise usage_error(message, "leave one out")


def _choose_destinations(options: CompileOptions, defaults: OutputDefaults, tree: DirectoryTree) -> Destinations:
    mode = _secrets_mode(options, defaults)
    if options.split and mode != "plain":
        raise usage_error(f"--split parts what is in clear, and --secrets {mode} writes no secret so", "leave one out")
    if options.archive and not is_archive(options.archive):
        raise usage_error(
            f"'{options.archive}' is no archive that can be made", f"end it in {' or '.join(ARCHIVE_SUFFIXES)}"
        )
    _check_archive_pattern(options.archive)
    public_mode: SecretsMode = "ref" if options.split else mode

    def output(folder: Path | None, mode: SecretsMode = public_mode) -> Output | None:
        if folder is None:
            return None
        return Output(folder, tree_root=tree.root, mode=mode, edition=EDITION, inputs={}, is_selected=lambda _: True)

    folder = None if options.archive and not options.output else _output_folder(options, defaults, tree)
    destinations = Destinations(output(folder), output(options.archive), output(options.split, "plain"))
    _check_disjoint(destinations)
    return destinations


def _check_archive_pattern(archive: Path | None) -> None:
    """Raise a usage error for a placeholder in the path of an archive other than that of the project."""
    for placeholder in re.findall(r"\{\w*\}", str(archive or "")):
        if placeholder != PROJECT_PLACEHOLDER:
            raise usage_error(
                f"'{placeholder}' in '{archive}' stands for nothing", f"write {PROJECT_PLACEHOLDER}, or another name"
            )


def _check_disjoint(destinations: Destinations) -> None:
    """Raise a usage error for a destination inside another, which would remove or publish it."""
    outputs = (destinations.folder, destinations.secret, destinations.archive)
    paths = [Path(os.path.abspath(output.folder)).resolve() for output in outputs if output]
    for inner, outer in permutations(paths, 2):
        if inner.is_relative_to(outer):
            raise usage_error(f"'{inner}' lies in '{outer}'", "choose places beside each other")


def _open_receipts(
    options: CompileOptions, tree: DirectoryTree, shard: Shard | None
) -> tuple[ReceiptFactory | None, Tree]:
    """Return the receipt factory, if any, and the tree to read, which records what a receipt contains."""
    if not options.receipt:
        return None, tree
    from envtree.delivery.receipt import record_receipt  # noqa: PLC0415

    recording = record_receipt(tree, shard)
    return recording.make_receipts, recording.tree


def _choose_extra_files(options: CompileOptions, destinations: Destinations) -> AddFiles:
    """Return the function that adds files to each bundle; its modules are imported only if they are needed."""
    add_files: AddFiles = without_extra_files
    if options.provenance:
        from envtree.queries.explain.provenance_file import attach_provenance  # noqa: PLC0415

        add_files = attach_provenance
    if destinations.primary.mode == "seal":
        from envtree.secrets.seal import add_sealed_files  # noqa: PLC0415

        add_files = add_sealed_files(add_files, destinations.primary, only_check=options.only_check)
    return add_files


def _make_request(options: CompileOptions, tree: DirectoryTree, destinations: Destinations) -> Request:
    keyless = destinations.primary.mode == "ref" and not destinations.secret
    return tree_request(
        tree,
        selectors=options.selectors,
        inputs=options.inputs,
        environ=Environ(),
        decrypter=None if keyless else decrypter_factory(tree),
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
    """Return the output folder, relative to the current folder if it is inside."""
    if options.output:
        return options.output
    folder, cwd = tree.root / defaults.directory, Path.cwd()
    # A change to a file of the tree must not be able to overwrite files elsewhere.
    if not folder.resolve().is_relative_to(tree.root):
        message = f"the output folder '{defaults.directory}' of organization.yaml lies outside the tree"
        raise RefusedError("ET806", message, "name a folder inside it, or use -o")
    return folder.relative_to(cwd) if folder.is_relative_to(cwd) else folder


def _report_outcome(
    options: CompileOptions, printer: ReportPrinter, outcome: RunOutcome, destinations: Destinations
) -> ExitCode:
    code = exit_code_for(outcome.findings, strict=options.strict)
    # A comparison that errors interrupted has no result.
    differences = () if code else outcome.differences
    report = build_report(outcome, differences if options.only_check else None)
    printer.print_report(report)
    if not printer.is_machine_readable:
        out("".join(f"{printable(path)}\n" for path in differences))
    printer.print_summary(report, _summary(options, report, code, destinations))
    return code or (ExitCode.DIFFERS if differences else ExitCode.OK)


def _summary(options: CompileOptions, report: RunReport, code: ExitCode, destinations: Destinations) -> str:
    bundles, warnings = plural(len(report.checked_bundles), "bundle"), count_summary(report)
    findings = "" if warnings == "no errors" else f": {warnings}"
    locations = " and ".join(f"'{output.folder}'" for output in (destinations.folder, destinations.archive) if output)
    if destinations.secret:
        locations += f", and their secrets to '{destinations.secret.folder}'" if not options.only_check else ""
    if code:
        return f"compared nothing{findings}" if options.only_check else f"wrote nothing{findings}"
    if not options.only_check:
        return f"wrote {bundles} to {locations}{findings}"
    if report.differences:
        return f"{plural(len(report.differences), 'file')} in {locations} would change{findings}"
    return f"{bundles} in {locations} are up to date{findings}"
