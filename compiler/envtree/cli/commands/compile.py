"""`envtree compile`: bundles into a folder, findings and what was done on stderr."""

import os
import re
import sys
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.cli.support.console import out
from envtree.cli.support.defaults import Defaults, defaults
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.session import (
    Environ,
    Messages,
    decrypter,
    open_tree,
    report_of,
    telling,
    usage_errors,
    view_of,
)
from envtree.cli.support.since import affected_since
from envtree.diagnostics.printable import printable
from envtree.engine.cache.replay import Memory
from envtree.engine.publish import PROJECT, Beside, Places, Receipts, alone, publish, rehearse
from envtree.engine.run import Outcome, Request
from envtree.model.artifact import Mode, Output
from envtree.model.diagnostic import Refusal
from envtree.model.formats import WHOLE
from envtree.report import Report, plural, tally
from envtree.sources.shard import Shard, shard
from envtree.sources.tree import DirectoryTree, Tree
from envtree.system.archive import SUFFIXES, is_archive
from envtree.system.disk import FILE_BITS
from envtree.system.workers import processes


class Options(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    output: Path | None
    archive: Path | None
    split: Path | None
    receipt: bool
    secrets: Mode | None
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
    memory: Memory | None


class Plan(NamedTuple):
    """What a command line asks for, with what the tree says where it says nothing."""

    request: Request
    places: Places
    formats: frozenset[str]
    beside: Beside


def run(options: Options) -> Exit:
    """Compile the tree, or compare it with what is written."""
    with telling(options.form):
        return _run(options)


def _run(options: Options) -> Exit:
    tree = open_tree(options.directory)
    # The lines that are shown are remembered, too.
    view = view_of(options.memory.tree if options.memory else tree, verbose=options.verbose)
    messages = Messages(view, options.form, options.color, sys.stderr)
    request, places, formats, beside = planned(options, tree)
    work = rehearse if options.only_check else publish
    with usage_errors(), progress(sys.stderr) as told:
        part = shard(tree, *options.part) if options.part else None
        made_from, read = _receipts(options, tree, part)
        request = request._replace(progress=told, shard=part, jobs=processes(options.jobs))
        if options.since is not None:
            request = affected_since(request, options.since)
        request = options.memory.reminded(request) if options.memory else request._replace(tree=read)
        outcome = work(request, places, formats, beside, made_from)

    def say() -> int:
        return _conclude(options, messages, outcome, places)

    # What lies sealed beside the bundles has been decided by a key.
    memory = options.memory if places.main.mode != "seal" else None
    return Exit(memory.conclude(outcome, places.folder, say) if memory else say())


def planned(options: Options, tree: DirectoryTree) -> Plan:
    """What to compile, where to and as what."""
    preset = defaults(tree)
    _check_whole(options)
    places = _places(options, preset, tree)
    formats = frozenset({"bundle", *(options.formats or preset.formats)})
    return Plan(_request(options, tree, places), places, formats, _beside(options, places))


def _check_whole(options: Options) -> None:
    """What is made of the whole tree is not made of a part, and goes into no archive of a part."""
    asked = sorted(WHOLE.intersection(options.formats))
    ways = {"--shard": options.part, "--changed-since": options.since, "a selector": options.selectors}
    part = next((way for way, given in ways.items() if given), None)
    if asked and part:
        raise usage_error(f"--format {asked[0]} is of the whole tree, and {part} selects a part", "leave one out")
    if asked and PROJECT in str(options.archive or ""):
        message = f"--format {asked[0]} is of the whole tree, and '{options.archive}' is one for each project"
        raise usage_error(message, "leave one out")


def _places(options: Options, preset: Defaults, tree: DirectoryTree) -> Places:
    mode = _mode(options, preset)
    if options.split and mode != "plain":
        raise usage_error(f"--split parts what is in clear, and --secrets {mode} writes no secret so", "leave one out")
    if options.archive and not is_archive(options.archive):
        raise usage_error(f"'{options.archive}' is no archive that can be made", f"end it in {' or '.join(SUFFIXES)}")
    _check_pattern(options.archive)
    shown: Mode = "ref" if options.split else mode

    def at(folder: Path | None, mode: Mode = shown) -> Output | None:
        return Output(folder, tree.root, mode, EDITION, {}, lambda _: True) if folder else None

    folder = None if options.archive and not options.output else _folder(options, preset, tree)
    places = Places(at(folder), at(options.archive), at(options.split, "plain"))
    _check_apart(places)
    return places


def _check_pattern(archive: Path | None) -> None:
    """An archive has a name of its own, or one for each project."""
    for found in re.findall(r"\{\w*\}", str(archive or "")):
        if found != PROJECT:
            raise usage_error(f"'{found}' in '{archive}' stands for nothing", f"write {PROJECT}, or another name")


def _check_apart(places: Places) -> None:
    """No place lies in another: what one run writes there the other would remove, or publish."""
    found = [Path(os.path.abspath(place.folder)).resolve() for place in (places.folder, places.secret) if place]
    archive = [Path(os.path.abspath(places.archive.folder)).resolve()] if places.archive else []
    for one, other in permutations((*found, *archive), 2):
        if one.is_relative_to(other):
            raise usage_error(f"'{one}' lies in '{other}'", "choose places beside each other")


def _receipts(options: Options, tree: DirectoryTree, part: Shard | None) -> tuple[Receipts | None, Tree]:
    """What notes where the bundles come from, and the tree for a run that it can be told of."""
    if not options.receipt:
        return None, tree
    from envtree.delivery.receipt import origin  # noqa: PLC0415

    found = origin(tree, part)
    return found.receipts, found.tree


def _beside(options: Options, places: Places) -> Beside:
    """What lies beside each bundle; few ask for anything, and all would wait for it to load."""
    beside: Beside = alone
    if options.provenance:
        from envtree.queries.explain.provenance import provenance  # noqa: PLC0415

        beside = provenance
    if places.main.mode == "seal":
        from envtree.secrets.seal import sealing  # noqa: PLC0415

        beside = sealing(beside, places.main, only_check=options.only_check)
    return beside


def _request(options: Options, tree: DirectoryTree, places: Places) -> Request:
    keyless = places.main.mode == "ref" and not places.secret
    return Request(
        tree,
        options.selectors,
        options.inputs,
        Environ(),
        None if keyless else decrypter(tree),
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


def _conclude(options: Options, messages: Messages, outcome: Outcome, places: Places) -> Exit:
    found = verdict(outcome.findings, strict=options.strict)
    # A comparison that errors cut short says nothing.
    differences = () if found else outcome.differences
    report = report_of(outcome, differences if options.only_check else None)
    messages.tell(report)
    if not messages.for_program:
        out("".join(f"{printable(path)}\n" for path in differences))
    messages.conclude(report, _sentence(options, report, found, places))
    return found or (Exit.FOUND if differences else Exit.OK)


def _sentence(options: Options, report: Report, found: Exit, places: Places) -> str:
    bundles, warnings = plural(len(report.checked), "bundle"), tally(report)
    added = "" if warnings == "no errors" else f": {warnings}"
    where = " and ".join(f"'{place.folder}'" for place in (places.folder, places.archive) if place)
    if places.secret:
        where += f", and their secrets to '{places.secret.folder}'" if not options.only_check else ""
    if found:
        return f"compared nothing{added}" if options.only_check else f"wrote nothing{added}"
    if not options.only_check:
        return f"wrote {bundles} to {where}{added}"
    if report.differences:
        return f"{plural(len(report.differences), 'file')} in {where} would change{added}"
    return f"{bundles} in {where} are up to date{added}"
