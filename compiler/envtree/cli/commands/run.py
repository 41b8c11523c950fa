"""`envtree run`: a program in the environment of a bundle, with the secrets taken out of what it says."""

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
from envtree.model.diagnostic import RefusedError, Severity
from envtree.model.keypath import parse_path
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
    """The command line."""

    directory: Path
    id: str | None
    command: tuple[str, ...]
    pristine: bool
    inherit: tuple[str, ...]
    bundle: Path | None
    bare: bool
    allow: tuple[str, ...]
    inputs: dict[str, str]
    color: str


class _LaunchBundle(NamedTuple):
    """What a program gets, what must not be read in its output, and the reserved names that may be set."""

    variables: Mapping[str, str]
    secrets: frozenset[NamedSecret]
    allowed: frozenset[str]


def run(options: RunOptions) -> int:
    """Start the program, and end as it does."""
    _check_command_line(options)
    # The core of a program with secrets in its environment would hold them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hide_process_memory()
    words = (options.id or "", *options.command)
    if options.bundle is None:
        found = compute_bundle(open_tree(options.directory), words[0], options.inputs, reveal=True)
        if found.result is None:
            return found.report_errors(options.color)
        bundle, command = _bundle_of_tree(found), words[1:]
    else:
        compiled = _bundle_of_folder(options.bundle, options)
        if compiled is None:
            return ExitCode.FAILURE
        bundle, command = compiled, words
    _check_reserved_names(bundle, options.allow)
    pristine = options.pristine or bool(options.inherit)
    environment = build_environment(bundle.variables, os.environb, pristine=pristine, inherited=options.inherit)
    return _launch_program(command, environment, bundle.secrets, without_redaction=options.bare)


def _check_command_line(options: RunOptions) -> None:
    """Whether the command line says what to run, and in what."""
    if options.id is None or not (options.command or options.bundle):
        what = "the command is" if options.bundle or options.id else "the bundle and the command are"
        raise usage_error(f"{what} missing", "write: envtree run ID -- COMMAND ARGUMENTS")
    keys = sorted(filter(is_sops_variable, options.inherit))
    if keys:
        raise usage_error(f"'{keys[0]}' is for sops alone, and no program gets it", "take it out of --inherit")


def _bundle_of_tree(bundle_run: BundleRun) -> _LaunchBundle:
    assert bundle_run.result
    bundle = bundle_run.result.bundle
    return _LaunchBundle(
        bundle_variables(bundle, bundle_run.run.select_writers()),
        collect_plaintexts(bundle),
        _allowed_names(bundle_run),
    )


def _allowed_names(bundle_run: BundleRun) -> frozenset[str]:
    """The reserved names that the organization lets this bundle set: with `lint`, or with a comment at each place."""
    assert bundle_run.result
    paths = {layer.path for layer in bundle_run.result.resolved.merged.stack.layers}
    told = [each for each in bundle_run.run.diags if each.code == "ET751" and each.span.path in paths]
    refused = {
        parse_path(each.key)[-1] for each in told if bundle_run.run.severities.severity_of(each) is not Severity.OFF
    }
    return frozenset(parse_path(each.key)[-1] for each in told) - refused


def _bundle_of_folder(folder: Path, options: RunOptions) -> _LaunchBundle | None:
    found = open_compiled_output(folder, options.directory, options.color)
    if found is None:
        return None
    if len(found.bundles) != 1:
        raise usage_error(f"'{folder}' holds more than one bundle", "name the folder of one")
    (one,) = found.bundles
    return _LaunchBundle(bundle_variables(one.bundle, found.writers), one.secrets, frozenset())


def _check_reserved_names(bundle: _LaunchBundle, allowed: Iterable[str]) -> None:
    """Refuse names that programs take orders from, unless somebody has allowed them."""
    reasons = {name: unsafe_variable_reason(name) for name in bundle.variables.keys() - bundle.allowed - {*allowed}}
    refused = sorted(name for name, why in reasons.items() if why)
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
    without_redaction: bool,
) -> int:
    try:
        if without_redaction:
            exec_program(command, environment)
        short = find_unmaskable(secrets)
        if short:
            err(f"not redacted, because such short texts are everywhere: {', '.join(map(printable, short))}\n")
        return launch(command, environment, build_redaction_patterns(secrets))
    except NotStartedError as problem:
        err(f"envtree: {printable(problem.message)}\n")
        return problem.code
