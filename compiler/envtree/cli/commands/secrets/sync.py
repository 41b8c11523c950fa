"""`envtree secrets sync`: what is declared about access becomes true, file by file."""

import resource
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit
from envtree.cli.support.progress import progress
from envtree.cli.support.session import Environ, open_tree, report_of, tell
from envtree.engine.run import Request, Run
from envtree.model.diagnostic import Diagnostic, Failure, Severity
from envtree.model.secrets_file import SCOPE, DecryptError, SecretsPolicy
from envtree.report import plural
from envtree.secrets.access.rekey import Left, Task, perform, tasks
from envtree.secrets.access.sync import Change, difference, plan
from envtree.secrets.edit.reading import UnreadableError
from envtree.secrets.sops.pooled import pooled
from envtree.secrets.sops.unchanged import read_unchanged
from envtree.secrets.sops.writing import SopsWriter
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import create, replace
from envtree.system.git import repository_root

# What this command mends, or what has nothing to do with it.
_CURED = frozenset({"ET609", "ET612", "ET650", "ET653", "ET654", "ET655", "ET656"})


class Options(NamedTuple):
    """The command line."""

    directory: Path
    check: bool
    update_keys: bool
    color: str


class _Done(NamedTuple):
    """What became of a task; a Failure says that the machine is at fault."""

    task: Task
    problem: Failure | DecryptError | UnreadableError | None


def run(options: Options) -> Exit:
    """Bring the files in line, or show what that would change."""
    tree = open_tree(options.directory)
    with progress(sys.stderr) as told:
        work = Run(Request(tree, environ=Environ(), allow_empty=True, progress=told))
    if work.workspace is None or _is_in_the_way(work):
        tell(tree, report_of(work.outcome()), options.color)
        return Exit.FOUND
    repository = repository_root(tree.root) or tree.root
    planned = plan(work, tree, repository)
    todo, left = tasks(work, planned.rules, update_keys=options.update_keys)
    for name in planned.nameless:
        err(f"warning: the owner '{name}' has neither 'github' nor 'email', so CODEOWNERS does not name them\n")
    if options.check:
        return _show(planned.changes, todo, left)
    _write(planned.changes, repository)
    done = _perform(todo, tree, work.workspace.organization.secrets_policy)
    if not (planned.changes or todo or left):
        err("nothing to do\n")
    return max(_tell(done), _tell_left(left))


def _is_in_the_way(work: Run) -> bool:
    """Whether the tree has an error that says more is wrong than what is mended here."""
    errors = (one.diagnostic for one in work.outcome().findings if one.severity is Severity.ERROR)
    return not all(one.code in _CURED or _is_unclaimed(one, work) for one in errors)


def _is_unclaimed(finding: Diagnostic, work: Run) -> bool:
    file = work.files.get(finding.span.path)
    return finding.code == "ET608" and finding.key == SCOPE and bool(file and file.sealed and not file.sealed.scope)


def _show(changes: tuple[Change, ...], todo: list[Task], left: list[Left]) -> Exit:
    out(difference(changes))
    out("".join(f"would change {task.words}\n" for task in todo))
    told = _tell_left(left)
    if changes or todo:
        err(f"{plural(len(changes) + len(todo), 'file')} would change\n")
        return Exit.FOUND
    return told


def _write(changes: tuple[Change, ...], repository: Path) -> None:
    for change in changes:
        if change.before is None:
            create(repository, change.path, change.after)
        else:
            replace(repository, change.path, change.before, change.after)
        out(f"wrote {change.path}\n")


def _perform(todo: list[Task], tree: DirectoryTree, policy: SecretsPolicy) -> list[_Done]:
    """Do all tasks, several at a time; one that fails leaves its file as it is, and the others go on."""
    if not todo:
        return []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    writer = SopsWriter(tree.root, policy)

    def do(task: Task) -> _Done:
        try:
            data = read_unchanged(tree.root, task.sealed)
            replace(tree.root, task.sealed.path, data, perform(task, data, writer))
        except (Failure, DecryptError, UnreadableError) as problem:
            return _Done(task, problem)
        except OSError:
            return _Done(task, Failure("ET623", "sops gave back no file", "run the command again"))
        return _Done(task, None)

    with pooled(writer.program.stop) as pool:
        return list(pool.map(do, todo))


def _tell(done: list[_Done]) -> Exit:
    for one in done:
        if one.problem is None:
            out(f"changed {one.task.words}\n")
        elif isinstance(one.problem, UnreadableError):
            err(f"left {one.task.sealed.path}: sops gave back another file than it was asked for\n")
        else:
            err(f"left {one.task.sealed.path}: {one.problem.message}; {one.problem.hint}\n")
    if any(one.task.lost and one.problem is None for one in done):
        err("who was taken out has seen the values: replace them, and run 'envtree secrets rotate'\n")
    if any(isinstance(one.problem, Failure) for one in done):
        return Exit.MACHINE
    return Exit.FOUND if any(one.problem for one in done) else Exit.OK


def _tell_left(left: list[Left]) -> Exit:
    for one in left:
        err(f"left {one.path}: {one.why}\n")
    return Exit.FOUND if left else Exit.OK
