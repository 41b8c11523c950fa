"""Implementation of `envtree secrets sync`: generate the access files from declarations."""

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

# Errors that this command corrects, or that do not affect it.
_FIXED_CODES = frozenset({"ET609", "ET612", "ET650", "ET653", "ET654", "ET655", "ET656"})


class SecretsSyncOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    check: bool
    update_keys: bool
    color: str


class _TaskOutcome(NamedTuple):
    """A task with the error that prevented it, if any; a MachineError has an exit code of its own."""

    task: RekeyTask
    problem: MachineError | DecryptError | UnreadableError | None


def run(options: SecretsSyncOptions) -> ExitCode:
    """Update the files, or with --check show the changes."""
    tree = open_tree(options.directory)
    with show_progress(sys.stderr) as progress:
        run = Run(tree_request(tree, environ=Environ(), allow_empty=True, progress=progress))
    if run.workspace is None or _has_blocking_errors(run):
        print_findings(tree, build_report(run.outcome()), options.color)
        return ExitCode.FAILURE
    repository = repository_root(tree.root) or tree.root
    plan = plan_access_files(run, tree, repository)
    tasks, skipped = plan_rekeying(run, plan.rules, update_keys=options.update_keys)
    for name in plan.owners_without_handle:
        err(f"warning: the owner '{name}' has neither 'github' nor 'email', so CODEOWNERS does not name them\n")
    if options.check:
        return _show_changes(plan.changes, tasks, skipped)
    _write_changes(plan.changes, repository)
    outcomes = _perform_tasks(tasks, tree, run.workspace.organization.secrets_policy)
    if not (plan.changes or tasks or skipped):
        err("nothing to do\n")
    return max(_report_outcomes(outcomes), _report_skipped(skipped))


def _has_blocking_errors(run: Run) -> bool:
    """Whether the tree has an error that this command cannot correct."""
    errors = (finding.diagnostic for finding in run.outcome().findings if finding.severity is Severity.ERROR)
    return not all(error.code in _FIXED_CODES or _is_missing_scope(error, run) for error in errors)


def _is_missing_scope(finding: Diagnostic, run: Run) -> bool:
    file = run.files.get(finding.span.path)
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
    skipped_code = _report_skipped(skipped)
    if changes or pending:
        err(f"{plural(len(changes) + len(pending), 'file')} would change\n")
        return ExitCode.DIFFERS
    return skipped_code


def _write_changes(changes: tuple[AccessFileChange, ...], repository: Path) -> None:
    for change in changes:
        if change.before is None:
            create_file(repository, change.path, change.after)
        else:
            replace_file(repository, change.path, change.before, change.after)
        out(f"wrote {change.path}\n")


def _perform_tasks(pending: list[RekeyTask], tree: DirectoryTree, policy: SecretsPolicy) -> list[_TaskOutcome]:
    """Perform the tasks in parallel; a task that fails leaves its file unchanged and does not stop the others."""
    if not pending:
        return []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    writer = SopsWriter(tree.root, policy)

    def perform(task: RekeyTask) -> _TaskOutcome:
        try:
            data = read_unchanged(tree.root, task.sealed)
            replace_file(tree.root, task.sealed.path, data, rekey_file(task, data, writer))
        except (MachineError, DecryptError, UnreadableError) as problem:
            return _TaskOutcome(task, problem)
        except OSError:
            return _TaskOutcome(task, MachineError("ET623", "sops gave back no file", "run the command again"))
        return _TaskOutcome(task, None)

    with thread_pool(writer.program.stop) as pool:
        return list(pool.map(perform, pending))


def _report_outcomes(outcomes: list[_TaskOutcome]) -> ExitCode:
    for task, problem in outcomes:
        if problem is None:
            out(f"changed {task.description}\n")
        elif isinstance(problem, UnreadableError):
            err(f"left {task.sealed.path}: sops gave back another file than it was asked for\n")
        else:
            err(f"left {task.sealed.path}: {problem.message}; {problem.hint}\n")
    if any(task.lost and problem is None for task, problem in outcomes):
        err("who was taken out has seen the values: replace them, and run 'envtree secrets rotate'\n")
    if any(isinstance(problem, MachineError) for _, problem in outcomes):
        return ExitCode.MACHINE_ERROR
    return ExitCode.FAILURE if any(problem for _, problem in outcomes) else ExitCode.OK


def _report_skipped(skipped: list[SkippedFile]) -> ExitCode:
    for file in skipped:
        err(f"left {file.path}: {file.reason}\n")
    return ExitCode.FAILURE if skipped else ExitCode.OK
