"""`envtree secrets sync`: what is declared about access becomes true, file by file."""

import resource
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.progress import show_progress
from envtree.cli.support.session import Environ, build_report, open_tree, print_findings, tree_request
from envtree.diagnostics.summary import plural
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic, MachineError, Severity
from envtree.model.secrets_file import SCOPE_KEY, DecryptError, SecretsPolicy
from envtree.secrets.access.access_plan import AccessFileChange, plan_access_files, render_file_changes
from envtree.secrets.access.rekey import RekeyTask, SkippedFile, plan_rekeying, rekey_file
from envtree.secrets.edit.sops_document import UnreadableError
from envtree.secrets.sops.read_unchanged import read_unchanged
from envtree.secrets.sops.writer import SopsWriter
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import create_file, replace_file
from envtree.system.console import err, out
from envtree.system.git import repository_root
from envtree.system.thread_pool import thread_pool

# What this command mends, or what has nothing to do with it.
_FIXED_CODES = frozenset({"ET609", "ET612", "ET650", "ET653", "ET654", "ET655", "ET656"})


class SecretsSyncOptions(NamedTuple):
    """The command line."""

    directory: Path
    check: bool
    update_keys: bool
    color: str


class _TaskOutcome(NamedTuple):
    """What became of a task; a Failure says that the machine is at fault."""

    task: RekeyTask
    problem: MachineError | DecryptError | UnreadableError | None


def run(options: SecretsSyncOptions) -> ExitCode:
    """Bring the files in line, or show what that would change."""
    tree = open_tree(options.directory)
    with show_progress(sys.stderr) as told:
        work = Run(tree_request(tree, environ=Environ(), allow_empty=True, progress=told))
    if work.workspace is None or _has_blocking_errors(work):
        print_findings(tree, build_report(work.outcome()), options.color)
        return ExitCode.FAILURE
    repository = repository_root(tree.root) or tree.root
    planned = plan_access_files(work, tree, repository)
    todo, left = plan_rekeying(work, planned.rules, update_keys=options.update_keys)
    for name in planned.owners_without_handle:
        err(f"warning: the owner '{name}' has neither 'github' nor 'email', so CODEOWNERS does not name them\n")
    if options.check:
        return _show_changes(planned.changes, todo, left)
    _write_changes(planned.changes, repository)
    done = _perform_tasks(todo, tree, work.workspace.organization.secrets_policy)
    if not (planned.changes or todo or left):
        err("nothing to do\n")
    return max(_report_outcomes(done), _report_skipped(left))


def _has_blocking_errors(work: Run) -> bool:
    """Whether the tree has an error that says more is wrong than what is mended here."""
    errors = (one.diagnostic for one in work.outcome().findings if one.severity is Severity.ERROR)
    return not all(one.code in _FIXED_CODES or _is_missing_scope(one, work) for one in errors)


def _is_missing_scope(finding: Diagnostic, work: Run) -> bool:
    file = work.files.get(finding.span.path)
    return (
        finding.code == "ET608"
        and finding.key == SCOPE_KEY
        and bool(file and file.secrets_file and not file.secrets_file.scope)
    )


def _show_changes(
    changes: tuple[AccessFileChange, ...], pending: list[RekeyTask], skipped: list[SkippedFile]
) -> ExitCode:
    out(render_file_changes(changes))
    out("".join(f"would change {task.description}\n" for task in pending))
    told = _report_skipped(skipped)
    if changes or pending:
        err(f"{plural(len(changes) + len(pending), 'file')} would change\n")
        return ExitCode.FAILURE
    return told


def _write_changes(changes: tuple[AccessFileChange, ...], repository: Path) -> None:
    for change in changes:
        if change.before is None:
            create_file(repository, change.path, change.after)
        else:
            replace_file(repository, change.path, change.before, change.after)
        out(f"wrote {change.path}\n")


def _perform_tasks(pending: list[RekeyTask], tree: DirectoryTree, policy: SecretsPolicy) -> list[_TaskOutcome]:
    """Do all tasks, several at a time; one that fails leaves its file as it is, and the others go on."""
    if not pending:
        return []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    writer = SopsWriter(tree.root, policy)

    def do(task: RekeyTask) -> _TaskOutcome:
        try:
            data = read_unchanged(tree.root, task.sealed)
            replace_file(tree.root, task.sealed.path, data, rekey_file(task, data, writer))
        except (MachineError, DecryptError, UnreadableError) as problem:
            return _TaskOutcome(task, problem)
        except OSError:
            return _TaskOutcome(task, MachineError("ET623", "sops gave back no file", "run the command again"))
        return _TaskOutcome(task, None)

    with thread_pool(writer.program.stop) as pool:
        return list(pool.map(do, pending))


def _report_outcomes(outcomes: list[_TaskOutcome]) -> ExitCode:
    for one in outcomes:
        if one.problem is None:
            out(f"changed {one.task.description}\n")
        elif isinstance(one.problem, UnreadableError):
            err(f"left {one.task.sealed.path}: sops gave back another file than it was asked for\n")
        else:
            err(f"left {one.task.sealed.path}: {one.problem.message}; {one.problem.hint}\n")
    if any(one.task.lost and one.problem is None for one in outcomes):
        err("who was taken out has seen the values: replace them, and run 'envtree secrets rotate'\n")
    if any(isinstance(one.problem, MachineError) for one in outcomes):
        return ExitCode.MACHINE_ERROR
    return ExitCode.FAILURE if any(one.problem for one in outcomes) else ExitCode.OK


def _report_skipped(skipped: list[SkippedFile]) -> ExitCode:
    for one in skipped:
        err(f"left {one.path}: {one.reason}\n")
    return ExitCode.FAILURE if skipped else ExitCode.OK
