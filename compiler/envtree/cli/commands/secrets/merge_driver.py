"""Implementation of `envtree secrets merge-driver`: merge three versions of a secrets file for git."""

import resource
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Diagnostic, MachineError, RefusedError, os_error_reason
from envtree.model.keypath import format_path
from envtree.model.secrets_file import DecryptError
from envtree.model.tree_layout import parse_file_name
from envtree.secrets.edit.file_merge import CannotMergeError, MergeOutcome, merge_files
from envtree.secrets.edit.policy import load_enclosing_tree
from envtree.secrets.edit.sops_document import SopsDocument, UnreadableError, read_sops_document
from envtree.secrets.sops.writer import SopsWriter
from envtree.system.console import err


class SecretsMergeDriverOptions(NamedTuple):
    """The parameters of the command; the files are temporary copies of git, `path` is the path of the result."""

    directory: Path
    base: str
    ours: str
    theirs: str
    path: str


def run(options: SecretsMergeDriverOptions) -> ExitCode:
    """Merge into `ours`; every error is a conflict, with exit code 1."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name = parse_file_name(options.path.rpartition("/")[2])
    if name is None or not name.is_secrets or name.format not in ("yaml", "json", "env"):
        raise usage_error(
            f"'{options.path}' is no secrets file", "it ends in .secrets.yaml, .secrets.json or .secrets.env"
        )
    try:
        base, ours, theirs = (Path(version).read_bytes() for version in (options.base, options.ours, options.theirs))
        outcome = _merge_versions(options, base, ours, theirs)
        if outcome.data != ours:
            Path(options.ours).write_bytes(outcome.data)
    except OSError as error:
        raise RefusedError("ET805", f"'{options.path}' cannot be merged: {os_error_reason(error)}") from None
    except UnreadableError as error:
        return _report_unmerged(
            options, "a version of it is not one that sops wrote", *map(_describe_finding, error.findings)
        )
    except CannotMergeError as error:
        return _report_unmerged(options, str(error))
    except (DecryptError, MachineError, RefusedError) as error:
        return _report_unmerged(options, error.message, *([f"hint: {error.hint}"] if error.hint else []))
    return _report_outcome(options, outcome)


def _merge_versions(options: SecretsMergeDriverOptions, base: bytes, ours: bytes, theirs: bytes) -> MergeOutcome:
    def parse(data: bytes) -> SopsDocument:
        return read_sops_document(data, options.path)

    tree = load_enclosing_tree(options.directory / options.path)
    # The base is empty if both sides have added the file.
    ancestor = parse(base) if base.strip() else None
    writer = SopsWriter(tree.root, tree.policy)
    return merge_files(ancestor, parse(ours), parse(theirs), writer, tree.people)


def _report_outcome(options: SecretsMergeDriverOptions, outcome: MergeOutcome) -> ExitCode:
    for path, reason in outcome.conflicts.items():
        _print_line(options, f"'{format_path(path)}' {reason}")
    for recipient in outcome.removed:
        _print_line(
            options, f"{recipient} is no recipient any more: 'envtree secrets rotate' takes the data key away as well"
        )
    if not outcome.conflicts:
        return ExitCode.OK
    _print_line(
        options, "these keys are as they are in ours: set them with 'envtree secrets set', then 'git add' the file"
    )
    return ExitCode.FAILURE


def _report_unmerged(options: SecretsMergeDriverOptions, reason: str, *details: str) -> ExitCode:
    for line in (f"not merged, and ours stays: {reason}", *details):
        _print_line(options, line)
    return ExitCode.FAILURE


def _describe_finding(finding: Diagnostic) -> str:
    return f"{finding.code}: {finding.message}"


def _print_line(options: SecretsMergeDriverOptions, message: str) -> None:
    err(f"{printable(f'{options.path}: {message}')}\n")
