"""Implementation of `envtree watch`: report the state of a tree and the effect of each change, on stdout."""

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
from envtree.cli.commands.compile import CompileOptions, make_compile_plan
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

# The interval of checks whether stdout was closed, or the tree removed.
_POLL_SECONDS = 0.5
# The hidden files that affect a tree.
_WATCHED_DOTFILES = (".sops.yaml", ".gitignore")
_MAX_NAMED_FILES = 3


class WatchOptions(NamedTuple):
    """The parameters of the command."""

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
    """Run once, or until a signal arrives."""
    if not options.output and (options.secrets or options.formats):
        raise usage_error("--secrets and --format say what is written", "name a folder with -o")
    tree = open_tree(options.directory)
    session = _WatchSession(options, tree)
    if not options.once:
        _watch_forever(session, tree)
    session.start()
    return exit_code_for(session.snapshot.report.findings, strict=options.strict)


def _watch_forever(session: "_WatchSession", tree: DirectoryTree) -> NoReturn:
    exit_after_commits()
    with watch_folder(tree.root) as watcher:
        session.start()
        # `main` disables garbage collection, but a process that keeps running has to collect the garbage of each run.
        gc.freeze()
        gc.enable()
        _process_changes(session, watcher)
    while True:
        with watch_folder(tree.root) as watcher:
            session.refresh(())
            _process_changes(session, watcher)
        time.sleep(_POLL_SECONDS)


def _process_changes(session: "_WatchSession", watcher: FileWatcher) -> None:
    """Refresh the session after each change, until the tree is replaced by another folder."""
    while not watcher.is_lost:
        changes = watcher.wait_for_changes(_POLL_SECONDS)
        if changes:
            session.refresh(changes)
        if not has_reader(sys.stdout):
            raise BrokenPipeError


class _WatchSession:
    """The current snapshot of a watched tree; prints the difference after each change."""

    def __init__(self, options: WatchOptions, tree: DirectoryTree) -> None:
        self.snapshot = Snapshot()
        self._options = options
        self._tree = tree
        self._checker = IncrementalChecker()
        self._use_color = should_color(sys.stdout, options.color)
        self._output = _resolve_parent(options.output) if options.output else None

    def start(self) -> None:
        """Report the initial state of the tree; an error that stops this run ends the command."""
        started = time.monotonic()
        recorded_tree = DigestingTree(self._tree)
        self.snapshot = Snapshot(bundles=self._existing_bundles())
        with translate_input_errors():
            self._refresh_snapshot(recorded_tree, allow_undeclared_inputs=False)
        prefix = "" if self._options.once else f"watching '{_relative_to_cwd(self._tree.root)}': "
        self._print_line(f"{prefix}{self._summary()}", started)
        self._print_findings(
            SnapshotDiff(
                changed=(),
                added=(),
                removed=(),
                changed_bundle_count=0,
                new_findings=self.snapshot.findings,
                removed_findings=(),
            )
        )

    def refresh(self, paths: Collection[str]) -> None:
        """Run again unless no changed path can affect the tree, and print the difference."""
        tree_paths = [os.path.relpath(path, self._tree.root) for path in paths if not self._is_output(path)]
        if paths and not _is_any_relevant(self._tree, tree_paths):
            return
        started = time.monotonic()
        before, recorded_tree = self.snapshot, DigestingTree(self._tree)
        try:
            # If an edit removes the declaration of an input, the error is reported where the input is used.
            self._refresh_snapshot(recorded_tree, allow_undeclared_inputs=True)
        except (MachineError, RefusedError) as error:
            self.snapshot = interrupted(before, error, recorded_tree.digests)
        except click.UsageError as error:
            self.snapshot = interrupted(before, RefusedError("ET806", error.format_message()), recorded_tree.digests)
        change = compare_snapshots(before, self.snapshot)
        if change:
            self._print_line(f"{_describe_files(change, tree_paths)}: {self._summary(change)}", started)
            self._print_findings(change)

    def _refresh_snapshot(self, recorded_tree: DigestingTree, *, allow_undeclared_inputs: bool) -> None:
        if not os.path.lexists(self._tree.root / ROOT_FILE):
            raise MachineError("ET805", f"'{ROOT_FILE}' is gone", "put it back; envtree waits for it")
        # In a folder that others can write to, the tree may have been replaced by another user's.
        find_root(self._tree.root)
        with show_progress(sys.stderr) as progress:

            def adapt_request(request: Request) -> Request:
                return request._replace(
                    tree=recorded_tree, progress=progress, allow_undeclared_inputs=allow_undeclared_inputs
                )

            outcome, bundles = self._compile(adapt_request) if self._options.output else self._check(adapt_request)
        self._checker.forget(recorded_tree.digests)
        self.snapshot = next_snapshot(self.snapshot, outcome, recorded_tree.digests, bundles)

    def _check(self, adapt_request: Callable[[Request], Request]) -> tuple[RunOutcome, dict[str, object]]:
        options = self._options
        request = tree_request(
            self._tree,
            selectors=options.selectors,
            inputs=options.inputs,
            environ=Environ(),
            allow_empty=options.allow_empty,
        )
        return self._checker.check(adapt_request(request))

    def _compile(self, adapt_request: Callable[[Request], Request]) -> tuple[RunOutcome, dict[str, object]]:
        plan = make_compile_plan(_compile_options(self._options), self._tree)
        outcome = self._checker.compile(plan._replace(request=adapt_request(plan.request)), self._tree.root)
        return outcome, dict(outcome.manifest.bundles if outcome.manifest else self.snapshot.bundles)

    def _existing_bundles(self) -> dict[str, object]:
        """Return the bundles of an existing output, to compare with if the tree has errors at first."""
        if self._output is None:
            return {}
        # Problems of the output are reported when it is written.
        with suppress(RefusedError, OSError):
            return dict(load_manifest(str(self._output), "ref", EDITION).bundles)
        return {}

    def _summary(self, change: SnapshotDiff | None = None) -> str:
        """Summarize the run, or the effect of a change, with the number of findings."""
        current, output = self.snapshot, self._options.output
        counts = count_summary(RunReport(current.findings))
        if current.interruption:
            return f"stopped, {counts}"
        checked = plural(len(current.report.checked_bundles), "bundle")
        if output and exit_code_for(current.report.findings, strict=self._options.strict):
            return f"wrote nothing, {counts}"
        if not change:
            return f"wrote {checked} to '{output}', {counts}" if output else f"checked {checked}, {counts}"
        differ = (
            f"{plural(change.changed_bundle_count, 'bundle')} differ{'s' if change.changed_bundle_count == 1 else ''}"
        )
        where = f" in '{output}'" if output else ""
        return f"{differ if change.changed_bundle_count else 'no bundle differs'}{where}, {counts}"

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


def _compile_options(options: WatchOptions) -> CompileOptions:
    """Return the options of `compile` for one run."""
    return CompileOptions(
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
        shard=None,
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
    """Return a folder relative to the current folder if it is inside."""
    cwd = Path.cwd()
    return str(root.relative_to(cwd) if root.is_relative_to(cwd) else root)


def _resolve_parent(output: Path) -> Path:
    path = Path(os.path.abspath(output))
    return path.parent.resolve() / path.name


def _is_any_relevant(tree: DirectoryTree, paths: Iterable[str]) -> bool:
    """Whether any of the paths may affect the tree; hidden files, and those that git ignores, do not."""
    visible = [path for path in paths if not _is_hidden(path)]
    if not visible:
        return False
    try:
        ignored = tree.ignored((ROOT_FILE, *visible))
    except MachineError:
        # The run will report the error, unless it concerns a path that no longer exists.
        return True
    return ROOT_FILE in ignored or not ignored.issuperset(visible)


def _is_hidden(path: str) -> bool:
    *folders, name = path.split("/")
    return any(part.startswith(".") and part not in (".", "..") for part in folders) or (
        name.startswith(".") and name != "." and name not in _WATCHED_DOTFILES
    )


def _describe_files(change: SnapshotDiff, paths: Iterable[str]) -> str:
    """Describe the changed files; if the run read none of them, the changed paths."""
    groups = (change.changed, "changed"), (change.added, "new"), (change.removed, "gone")
    parts = [f"{_join_names(names)} {verb}" for names, verb in groups if names]
    visible = [path for path in sorted(paths) if path != "." and not _is_hidden(path)]
    return "; ".join(parts) or (f"{_join_names(visible)} changed" if visible else "the tree changed")


def _join_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED_FILES} more" if len(names) > _MAX_NAMED_FILES else ""
    return f"{', '.join(names[:_MAX_NAMED_FILES])}{more}"
