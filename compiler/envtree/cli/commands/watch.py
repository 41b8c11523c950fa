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
from envtree.cli.commands.compile import Options as Compiling
from envtree.cli.commands.compile import planned
from envtree.cli.support.console import colored, is_heard, out, painted
from envtree.cli.support.exits import Exit, verdict
from envtree.cli.support.incremental_check import Looks
from envtree.cli.support.options import usage_error
from envtree.cli.support.progress import progress
from envtree.cli.support.session import Environ, lines_of, open_tree, usage_errors
from envtree.diagnostics.printable import printable
from envtree.engine.run import Outcome, Request
from envtree.model.artifact import Mode
from envtree.model.diagnostic import Failure, Refusal
from envtree.model.tree_layout import ROOT_FILE
from envtree.queries.snapshot import Change, Noted, Standing, after, halted, since
from envtree.report import Report, plural, tally
from envtree.report.text import heads, text
from envtree.sources.tree import DirectoryTree, find_root
from envtree.system.disk import load_manifest
from envtree.system.file_watcher import Watcher, watching
from envtree.system.signals import outlast_commits

# How long nobody looks whether stdout was closed, or the tree removed.
_PATIENCE = 0.5
# What counts though its name begins with a dot.
_HIDDEN = (".sops.yaml", ".gitignore")
_NAMED = 3


class Options(NamedTuple):
    """The command line."""

    directory: Path
    selectors: tuple[str, ...]
    output: Path | None
    secrets: Mode | None
    formats: tuple[str, ...]
    once: bool
    strict: bool
    allow_empty: bool
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Look once, or until a signal comes."""
    if not options.output and (options.secrets or options.formats):
        raise usage_error("--secrets and --format say what is written", "name a folder with -o")
    tree = open_tree(options.directory)
    lookout = _Lookout(options, tree)
    if not options.once:
        _follow(lookout, tree)
    lookout.begin()
    return verdict(lookout.standing.report.findings, strict=options.strict)


def _follow(lookout: "_Lookout", tree: DirectoryTree) -> NoReturn:
    outlast_commits()
    with watching(tree.root) as watcher:
        lookout.begin()
        # Until now garbage was not worth a search; a process that stays has to find what each look leaves.
        gc.freeze()
        gc.enable()
        _listen(lookout, watcher)
    while True:
        with watching(tree.root) as watcher:
            lookout.look(())
            _listen(lookout, watcher)
        time.sleep(_PATIENCE)


def _listen(lookout: "_Lookout", watcher: Watcher) -> None:
    """Look at each change, as long as the tree is the same folder."""
    while not watcher.is_lost:
        changes = watcher.changes(_PATIENCE)
        if changes:
            lookout.look(changes)
        if not is_heard(sys.stdout):
            raise BrokenPipeError


class _Lookout:
    """How the tree stands, and what is told when it stands otherwise."""

    def __init__(self, options: Options, tree: DirectoryTree) -> None:
        self.standing = Standing()
        self._options = options
        self._tree = tree
        self._looks = Looks()
        self._color = colored(sys.stdout, options.color)
        self._output = _real(options.output) if options.output else None

    def begin(self) -> None:
        """Tell how the tree stands at first; what stops this ends the command."""
        started = time.monotonic()
        noted = Noted(self._tree)
        self.standing = Standing(bundles=self._written())
        with usage_errors():
            self._reach(noted, inputs_shared=False)
        where = "" if self._options.once else f"watching '{_short(self._tree.root)}': "
        self._tell(f"{where}{self._scope()}", started)
        self._tell_findings(Change((), (), (), 0, self.standing.findings, ()))

    def look(self, paths: Collection[str]) -> None:
        """Look again, unless none of what was changed can matter, and tell what has come of it."""
        inside = [os.path.relpath(path, self._tree.root) for path in paths if not self._is_output(path)]
        if paths and not _matter(self._tree, inside):
            return
        started = time.monotonic()
        before, noted = self.standing, Noted(self._tree)
        try:
            # What an edit makes of a declared input is told where the input is used.
            self._reach(noted, inputs_shared=True)
        except (Failure, Refusal) as reason:
            self.standing = halted(before, reason, noted.digests)
        except click.UsageError as wrong:
            self.standing = halted(before, Refusal("ET806", wrong.format_message()), noted.digests)
        change = since(before, self.standing)
        if change:
            self._tell(f"{_named(change, inside)}: {self._scope(change)}", started)
            self._tell_findings(change)

    def _reach(self, noted: Noted, *, inputs_shared: bool) -> None:
        if not os.path.lexists(self._tree.root / ROOT_FILE):
            raise Failure("ET805", f"'{ROOT_FILE}' is gone", "put it back; envtree waits for it")
        # Where everybody can write, the tree may be another user's by now.
        find_root(self._tree.root)
        with progress(sys.stderr) as told:

            def over(request: Request) -> Request:
                return request._replace(tree=noted, progress=told, inputs_shared=inputs_shared)

            outcome, bundles = self._compile(over) if self._options.output else self._check(over)
        self._looks.forget(noted.digests)
        self.standing = after(self.standing, outcome, noted.digests, bundles)

    def _check(self, over: Callable[[Request], Request]) -> tuple[Outcome, dict[str, object]]:
        options = self._options
        request = Request(self._tree, options.selectors, options.inputs, Environ(), allow_empty=options.allow_empty)
        return self._looks.look(over(request))

    def _compile(self, over: Callable[[Request], Request]) -> tuple[Outcome, dict[str, object]]:
        plan = planned(_compiling(self._options), self._tree)
        outcome = self._looks.write(plan._replace(request=over(plan.request)), self._tree.root)
        return outcome, dict(outcome.manifest.bundles if outcome.manifest else self.standing.bundles)

    def _written(self) -> dict[str, object]:
        """The bundles that lie where they are to be written, for whoever begins with a broken tree."""
        if self._output is None:
            return {}
        # What is wrong with the output is told by who writes to it.
        with suppress(Refusal, OSError):
            return dict(load_manifest(str(self._output), "ref", EDITION).bundles)
        return {}

    def _scope(self, change: Change | None = None) -> str:
        """What was done, or came of a change, and how much is wrong."""
        now, output = self.standing, self._options.output
        told = tally(Report(now.findings))
        if now.stop:
            return f"stopped, {told}"
        checked = plural(len(now.report.checked), "bundle")
        if output and verdict(now.report.findings, strict=self._options.strict):
            return f"wrote nothing, {told}"
        if not change:
            return f"wrote {checked} to '{output}', {told}" if output else f"checked {checked}, {told}"
        differ = f"{plural(change.bundles, 'bundle')} differ{'s' if change.bundles == 1 else ''}"
        where = f" in '{output}'" if output else ""
        return f"{differ if change.bundles else 'no bundle differs'}{where}, {told}"

    def _tell(self, sentence: str, started: float) -> None:
        out(f"{time.strftime('%H:%M:%S')} {printable(sentence)} ({time.monotonic() - started:.2f} s)\n")
        sys.stdout.flush()

    def _tell_findings(self, change: Change) -> None:
        gone = "".join(f"gone: {line}\n" for line in heads(change.gone, color=self._color))
        painted(sys.stdout, text(change.new, lines_of(self._tree), color=self._color) + gone)
        sys.stdout.flush()

    def _is_output(self, path: str) -> bool:
        return self._output is not None and Path(path).is_relative_to(self._output)


def _compiling(options: Options) -> Compiling:
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
        memory=None,
    )


def _short(root: Path) -> str:
    """A folder as short as it can be said from here."""
    here = Path.cwd()
    return str(root.relative_to(here) if root.is_relative_to(here) else root)


def _real(output: Path) -> Path:
    path = Path(os.path.abspath(output))
    return path.parent.resolve() / path.name


def _matter(tree: DirectoryTree, paths: Iterable[str]) -> bool:
    """Whether any of the paths may be a part of the tree: none that is hidden, or that git ignores."""
    seen = [path for path in paths if not _is_hidden(path)]
    if not seen:
        return False
    try:
        ignored = tree.ignored((ROOT_FILE, *seen))
    except Failure:
        # It will be told, or is about a path that is gone.
        return True
    return ROOT_FILE in ignored or not ignored.issuperset(seen)


def _is_hidden(path: str) -> bool:
    *folders, name = path.split("/")
    return any(part.startswith(".") and part not in (".", "..") for part in folders) or (
        name.startswith(".") and name != "." and name not in _HIDDEN
    )


def _named(change: Change, paths: Iterable[str]) -> str:
    """The files that were changed; where no run reads what it was, its path."""
    found = (change.changed, "changed"), (change.added, "new"), (change.removed, "gone")
    told = [f"{_listed(names)} {what}" for names, what in found if names]
    seen = [path for path in sorted(paths) if path != "." and not _is_hidden(path)]
    return "; ".join(told) or (f"{_listed(seen)} changed" if seen else "the tree changed")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
