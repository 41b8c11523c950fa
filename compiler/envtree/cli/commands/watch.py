"""`envtree watch`: how the tree stands, and what each change of its files makes of that, on stdout."""

import gc
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import click

from envtree import EDITION
from envtree.cli.commands.compile import CompileOptions as Compiling
from envtree.cli.commands.compile import make_compile_plan
from envtree.cli.support.exits import ExitCode, exit_code_for
from envtree.cli.support.incremental_check import IncrementalChecker
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import Environ, open_tree, source_line_reader, translate_input_errors, tree_request
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import RunReport, count_summary, plural
from envtree.engine.request import Request, RunOutcome
from envtree.model.artifact import SecretsMode
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.model.tree_layout import ROOT_FILE
from envtree.queries.snapshot import (
    DigestingTree,
    Snapshot,
    SnapshotDiff,
    compare_snapshots,
    interrupted,
    next_snapshot,
)
from envtree.report.text import render_headlines, render_text
from envtree.sources.tree import DirectoryTree, find_root
from envtree.system.console import has_reader, out, should_color, write_styled
from envtree.system.disk import load_manifest
from envtree.system.file_watcher import FileWatcher, watch_folder
from envtree.system.signals import exit_after_commits

# How long nobody looks whether stdout was closed, or the tree removed.
_POLL_SECONDS = 0.5
# What counts though its name begins with a dot.
_WATCHED_DOTFILES = (".sops.yaml", ".gitignore")
_MAX_NAMED_FILES = 3


class WatchOptions(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    output: Path | None
    secrets: SecretsMode | None
    formats: tuple[str, ...]
    once: bool
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    color: str


def run(options: WatchOptions) -> ExitCode:
    """Look once, or until a signal comes."""
    if not options.output and (options.secrets or options.formats):
        raise usage_error("--secrets and --format say what is written", "name a folder with -o")
    tree = open_tree(options.directory)
    lookout = _WatchSession(options, tree)
    if not options.once:
        _watch_forever(lookout, tree)
    lookout.start()
    return exit_code_for(lookout.snapshot.report.findings, strict=options.strict)


def _watch_forever(session: "_WatchSession", tree: DirectoryTree) -> NoReturn:
    exit_after_commits()
    with watch_folder(tree.root) as watcher:
        session.start()
        # Until now garbage was not worth a search; a process that stays has to find what each look leaves.
        gc.freeze()
        gc.enable()
        _process_changes(session, watcher)
    while True:
        with watch_folder(tree.root) as watcher:
            session.refresh(())
            _process_changes(session, watcher)
        time.sleep(_POLL_SECONDS)


def _process_changes(session: "_WatchSession", watcher: FileWatcher) -> None:
    """Look at each change, as long as the tree is the same folder."""
    while not watcher.is_lost:
        changes = watcher.wait_for_changes(_POLL_SECONDS)
        if changes:
            session.refresh(changes)
        if not has_reader(sys.stdout):
            raise BrokenPipeError


class _WatchSession:
    """How the tree stands, and what is told when it stands otherwise."""

    def __init__(self, options: WatchOptions, tree: DirectoryTree) -> None:
        self.snapshot = Snapshot()
        self._options = options
        self._tree = tree
        self._checker = IncrementalChecker()
        self._use_color = should_color(sys.stdout, options.color)
        self._output = _resolve_parent(options.output) if options.output else None

    def start(self) -> None:
        """Tell how the tree stands at first; what stops this ends the command."""
        started = time.monotonic()
        noted = DigestingTree(self._tree)
        self.snapshot = Snapshot(bundles=self._existing_bundles())
        with translate_input_errors():
            self._refresh_snapshot(noted, inputs_shared=False)
        where = "" if self._options.once else f"watching '{_relative_to_cwd(self._tree.root)}': "
        self._print_line(f"{where}{self._summary()}", started)
        self._print_findings(SnapshotDiff((), (), (), 0, self.snapshot.findings, ()))

    def refresh(self, paths: Collection[str]) -> None:
        """Look again, unless none of what was changed can matter, and tell what has come of it."""
        inside = [os.path.relpath(path, self._tree.root) for path in paths if not self._is_output(path)]
        if paths and not _is_any_relevant(self._tree, inside):
            return
        started = time.monotonic()
        before, noted = self.snapshot, DigestingTree(self._tree)
        try:
            # What an edit makes of a declared input is told where the input is used.
            self._refresh_snapshot(noted, inputs_shared=True)
        except (MachineError, RefusedError) as reason:
            self.snapshot = interrupted(before, reason, noted.digests)
        except click.UsageError as wrong:
            self.snapshot = interrupted(before, RefusedError("ET806", wrong.format_message()), noted.digests)
        change = compare_snapshots(before, self.snapshot)
        if change:
            self._print_line(f"{_describe_files(change, inside)}: {self._summary(change)}", started)
            self._print_findings(change)

    def _refresh_snapshot(self, recorded_tree: DigestingTree, *, inputs_shared: bool) -> None:
        if not os.path.lexists(self._tree.root / ROOT_FILE):
            raise MachineError("ET805", f"'{ROOT_FILE}' is gone", "put it back; envtree waits for it")
        # Where everybody can write, the tree may be another user's by now.
        find_root(self._tree.root)
        with show_progress(sys.stderr) as told:

            def over(request: Request) -> Request:
                return request._replace(tree=recorded_tree, progress=told, allow_undeclared_inputs=inputs_shared)

            outcome, bundles = self._compile(over) if self._options.output else self._check(over)
        self._checker.forget(recorded_tree.digests)
        self.snapshot = next_snapshot(self.snapshot, outcome, recorded_tree.digests, bundles)

    def _check(self, adapt_request: Callable[[Request], Request]) -> tuple[RunOutcome, dict[str, object]]:
        options = self._options
        request = tree_request(
            self._tree, options.selectors, options.inputs, Environ(), allow_empty=options.allow_empty
        )
        return self._checker.check(adapt_request(request))

    def _compile(self, adapt_request: Callable[[Request], Request]) -> tuple[RunOutcome, dict[str, object]]:
        plan = make_compile_plan(_compile_options(self._options), self._tree)
        outcome = self._checker.compile(plan._replace(request=adapt_request(plan.request)), self._tree.root)
        return outcome, dict(outcome.manifest.bundles if outcome.manifest else self.snapshot.bundles)

    def _existing_bundles(self) -> dict[str, object]:
        """The bundles that lie where they are to be written, for whoever begins with a broken tree."""
        if self._output is None:
            return {}
        # What is wrong with the output is told by who writes to it.
        with suppress(RefusedError, OSError):
            return dict(load_manifest(str(self._output), "ref", EDITION).bundles)
        return {}

    def _summary(self, change: SnapshotDiff | None = None) -> str:
        """What was done, or came of a change, and how much is wrong."""
        now, output = self.snapshot, self._options.output
        told = count_summary(RunReport(now.findings))
        if now.interruption:
            return f"stopped, {told}"
        checked = plural(len(now.report.checked_bundles), "bundle")
        if output and exit_code_for(now.report.findings, strict=self._options.strict):
            return f"wrote nothing, {told}"
        if not change:
            return f"wrote {checked} to '{output}', {told}" if output else f"checked {checked}, {told}"
        differ = (
            f"{plural(change.changed_bundle_count, 'bundle')} differ{'s' if change.changed_bundle_count == 1 else ''}"
        )
        where = f" in '{output}'" if output else ""
        return f"{differ if change.changed_bundle_count else 'no bundle differs'}{where}, {told}"

    def _print_line(self, sentence: str, started: float) -> None:
        out(f"{time.strftime('%H:%M:%S')} {printable(sentence)} ({time.monotonic() - started:.2f} s)\n")
        sys.stdout.flush()

    def _print_findings(self, change: SnapshotDiff) -> None:
        gone = "".join(f"gone: {line}\n" for line in render_headlines(change.removed_findings, color=self._use_color))
        write_styled(
            sys.stdout, render_text(change.new_findings, source_line_reader(self._tree), color=self._use_color) + gone
        )
        sys.stdout.flush()

    def _is_output(self, path: str) -> bool:
        return self._output is not None and Path(path).is_relative_to(self._output)


def _compile_options(options: WatchOptions) -> Compiling:
    """The command line of `compile` that does the same once."""
    return Compiling(
        directory=options.directory,
        selectors=options.selectors,
        output=options.output,
        archive=None,
        split=None,
        receipt=False,
        secrets=options.secrets,
        formats=options.formats,
        form="text",
        provenance=False,
        only_check=False,
        part=None,
        since=None,
        strict=options.strict,
        allow_empty=options.allow_empty,
        inputs=options.inputs,
        jobs=1,
        color=options.color,
        verbose=False,
        replay_cache=None,
    )


def _relative_to_cwd(root: Path) -> str:
    """A folder as short as it can be said from here."""
    here = Path.cwd()
    return str(root.relative_to(here) if root.is_relative_to(here) else root)


def _resolve_parent(output: Path) -> Path:
    path = Path(os.path.abspath(output))
    return path.parent.resolve() / path.name


def _is_any_relevant(tree: DirectoryTree, paths: Iterable[str]) -> bool:
    """Whether any of the paths may be a part of the tree: none that is hidden, or that git ignores."""
    seen = [path for path in paths if not _is_hidden(path)]
    if not seen:
        return False
    try:
        ignored = tree.ignored((ROOT_FILE, *seen))
    except MachineError:
        # It will be told, or is about a path that is gone.
        return True
    return ROOT_FILE in ignored or not ignored.issuperset(seen)


def _is_hidden(path: str) -> bool:
    *folders, name = path.split("/")
    return any(part.startswith(".") and part not in (".", "..") for part in folders) or (
        name.startswith(".") and name != "." and name not in _WATCHED_DOTFILES
    )


def _describe_files(change: SnapshotDiff, paths: Iterable[str]) -> str:
    """The files that were changed; where no run reads what it was, its path."""
    found = (change.changed, "changed"), (change.added, "new"), (change.removed, "gone")
    told = [f"{_join_names(names)} {what}" for names, what in found if names]
    seen = [path for path in sorted(paths) if path != "." and not _is_hidden(path)]
    return "; ".join(told) or (f"{_join_names(seen)} changed" if seen else "the tree changed")


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED_FILES} more" if len(names) > _MAX_NAMED_FILES else ""
    return f"{', '.join(names[:_MAX_NAMED_FILES])}{more}"
