"""Implementation of `envtree run`: run a program in the environment of a bundle, and redact secrets in its output."""

import os
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.bundle_run import BundleRun, compute_bundle
from envtree.cli.support.compiled_output import bundle_variables, open_compiled_output
from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import open_tree
from envtree.diagnostics.printable import printable
from envtree.frontend.validate.reserved_names import unsafe_variable_reason
from envtree.model.diagnostic import RefusedError
from envtree.model.secret_entries import NamedSecret
from envtree.output.emit import collect_plaintexts
from envtree.runner.launch import (
    NotStartedError,
    ProgramEnvironment,
    build_environment,
    build_redaction_patterns,
    exec_program,
    find_unmaskable,
    hide_process_memory,
    is_sops_variable,
    launch,
)
from envtree.system.console import err


class RunOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    id: str | None
    command: tuple[str, ...]
    pristine: bool
    inherit: tuple[str, ...]
    bundle: Path | None
    no_redact: bool
    allow: tuple[str, ...]
    inputs: dict[str, str]
    color: str


class _LaunchBundle(NamedTuple):
    """The variables of a program, the secrets to redact in its output, and the reserved names that it may set."""

    variables: Mapping[str, str]
    secrets: frozenset[NamedSecret]
    allowed: frozenset[str]


def run(options: RunOptions) -> int:
    """Run the program; return its exit code."""
    _check_command_line(options)
    # A core dump of a process with secrets in its environment would contain them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hide_process_memory()
    arguments = (options.id or "", *options.command)
    if options.bundle is None:
        bundle_run = compute_bundle(open_tree(options.directory), arguments[0], options.inputs, reveal=True)
        if bundle_run.result is None:
            return bundle_run.report_errors(options.color)
        bundle, command = _bundle_of_tree(bundle_run), arguments[1:]
    else:
        compiled = _bundle_of_folder(options.bundle, options)
        if compiled is None:
            return ExitCode.FAILURE
        bundle, command = compiled, arguments
    _check_reserved_names(bundle, options.allow)
    pristine = options.pristine or bool(options.inherit)
    environment = build_environment(bundle.variables, os.environb, pristine=pristine, inherited=options.inherit)
    return _launch_program(command, environment, bundle.secrets, redact=not options.no_redact)


def _check_command_line(options: RunOptions) -> None:
    """Raise a usage error if the command or the bundle is missing, or --inherit names a variable of sops."""
    if options.id is None or not (options.command or options.bundle):
        subject = "the command is" if options.bundle or options.id else "the bundle and the command are"
        raise usage_error(f"{subject} missing", "write: envtree run ID -- COMMAND ARGUMENTS")
    sops_variables = sorted(filter(is_sops_variable, options.inherit))
    if sops_variables:
        raise usage_error(
            f"'{sops_variables[0]}' is for sops alone, and no program gets it", "take it out of --inherit"
        )


def _bundle_of_tree(bundle_run: BundleRun) -> _LaunchBundle:
    assert bundle_run.result
    bundle = bundle_run.result.bundle
    return _LaunchBundle(
        bundle_variables(bundle, bundle_run.run.select_writers()),
        collect_plaintexts(bundle),
        bundle_run.run.allowed_names(bundle_run.result.resolved),
    )


def _bundle_of_folder(folder: Path, options: RunOptions) -> _LaunchBundle | None:
    opened = open_compiled_output(folder, options.directory, options.color)
    if opened is None:
        return None
    if len(opened.bundles) != 1:
        raise usage_error(f"'{folder}' holds more than one bundle", "name the folder of one")
    (unsealed,) = opened.bundles
    return _LaunchBundle(bundle_variables(unsealed.bundle, opened.writers), unsealed.secrets, frozenset())


def _check_reserved_names(bundle: _LaunchBundle, allowed: Iterable[str]) -> None:
    """Raise RefusedError for variables that control programs, unless they are allowed."""
    reasons = {name: unsafe_variable_reason(name) for name in bundle.variables.keys() - bundle.allowed - {*allowed}}
    refused = sorted(name for name, reason in reasons.items() if reason)
    if refused:
        names = ", ".join(f"'{name}'" for name in refused)
        message = f"the bundle sets {names}: {reasons[refused[0]]}"
        hint = f"use --allow {','.join(refused)} if that is meant, or allow ET751 where it is set"
        raise RefusedError("ET707", message, hint)


def _launch_program(
    command: tuple[str, ...],
    environment: ProgramEnvironment,
    secrets: frozenset[NamedSecret],
    *,
    redact: bool,
) -> int:
    try:
        if not redact:
            exec_program(command, environment)
        unmaskable = find_unmaskable(secrets)
        if unmaskable:
            err(f"not redacted, because such short texts are everywhere: {', '.join(map(printable, unmaskable))}\n")
        return launch(command, environment, build_redaction_patterns(secrets))
    except NotStartedError as error:
        err(f"envtree: {printable(error.message)}\n")
        return error.code
