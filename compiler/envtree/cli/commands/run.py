"""`envtree run`: a program in the environment of a bundle, with the secrets taken out of what it says."""

import os
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.cli.support.session import open_tree
from envtree.cli.support.single import Single, single
from envtree.cli.support.stored import opened, process_environment
from envtree.diagnostics.printable import printable
from envtree.frontend.validate.reserved import gives_orders
from envtree.model.diagnostic import Refusal, Severity
from envtree.model.keypath import parse_path
from envtree.model.secret_placeholders import Named
from envtree.output.emit import plaintexts
from envtree.runner.launch import (
    Environment,
    NotStarted,
    become,
    launch,
    opens_secrets,
    patterns,
    seclude,
    surroundings,
    unmasked,
)


class Options(NamedTuple):
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


class _Bundle(NamedTuple):
    """What a program gets, what must not be read in its output, and the reserved names that may be set."""

    variables: Mapping[str, str]
    secrets: frozenset[Named]
    allowed: frozenset[str]


def run(options: Options) -> int:
    """Start the program, and end as it does."""
    _check(options)
    # The core of a program with secrets in its environment would hold them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seclude()
    words = (options.id or "", *options.command)
    if options.bundle is None:
        found = single(open_tree(options.directory), words[0], options.inputs, reveal=True)
        if found.result is None:
            return found.tell(options.color)
        bundle, command = _computed(found), words[1:]
    else:
        compiled = _compiled(options.bundle, options)
        if compiled is None:
            return Exit.FOUND
        bundle, command = compiled, words
    _check_names(bundle, options.allow)
    pristine = options.pristine or bool(options.inherit)
    environment = surroundings(bundle.variables, os.environb, pristine=pristine, inherited=options.inherit)
    return _start(command, environment, bundle.secrets, bare=options.bare)


def _check(options: Options) -> None:
    """Whether the command line says what to run, and in what."""
    if options.id is None or not (options.command or options.bundle):
        what = "the command is" if options.bundle or options.id else "the bundle and the command are"
        raise usage_error(f"{what} missing", "write: envtree run ID -- COMMAND ARGUMENTS")
    keys = sorted(filter(opens_secrets, options.inherit))
    if keys:
        raise usage_error(f"'{keys[0]}' is for sops alone, and no program gets it", "take it out of --inherit")


def _computed(found: Single) -> _Bundle:
    assert found.result
    bundle = found.result.bundle
    return _Bundle(process_environment(bundle, found.work.writers()), plaintexts(bundle), _allowed(found))


def _allowed(found: Single) -> frozenset[str]:
    """The reserved names that the organization lets this bundle set: with `lint`, or with a comment at each place."""
    assert found.result
    paths = {layer.path for layer in found.result.resolved.merged.stack.layers}
    told = [each for each in found.work.diags if each.code == "ET751" and each.span.path in paths]
    refused = {parse_path(each.key)[-1] for each in told if found.work.severities.of(each) is not Severity.OFF}
    return frozenset(parse_path(each.key)[-1] for each in told) - refused


def _compiled(folder: Path, options: Options) -> _Bundle | None:
    found = opened(folder, options.directory, options.color)
    if found is None:
        return None
    if len(found.bundles) != 1:
        raise usage_error(f"'{folder}' holds more than one bundle", "name the folder of one")
    (one,) = found.bundles
    return _Bundle(process_environment(one.bundle, found.writers), one.secrets, frozenset())


def _check_names(bundle: _Bundle, allowed: Iterable[str]) -> None:
    """Refuse names that programs take orders from, unless somebody has allowed them."""
    reasons = {name: gives_orders(name) for name in bundle.variables.keys() - bundle.allowed - {*allowed}}
    refused = sorted(name for name, why in reasons.items() if why)
    if refused:
        names = ", ".join(f"'{name}'" for name in refused)
        message = f"the bundle sets {names}: {reasons[refused[0]]}"
        hint = f"use --allow {','.join(refused)} if that is meant, or allow ET751 where it is set"
        raise Refusal("ET707", message, hint)


def _start(command: tuple[str, ...], environment: Environment, secrets: frozenset[Named], *, bare: bool) -> int:
    try:
        if bare:
            become(command, environment)
        short = unmasked(secrets)
        if short:
            err(f"not redacted, because such short texts are everywhere: {', '.join(map(printable, short))}\n")
        return launch(command, environment, patterns(secrets))
    except NotStarted as problem:
        err(f"envtree: {printable(problem.message)}\n")
        return problem.code
