"""Implementation of `envtree secrets init`: an age key, its owner as a reader, rules for sops, and drivers for git."""

import getpass
import re
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.git_drivers import ATTRIBUTES_FILE, install_drivers
from envtree.cli.support.options import usage_error
from envtree.cli.support.secrets_session import CommandStoppedError, SecretsSession, open_secrets_session
from envtree.diagnostics.printable import printable
from envtree.frontend.link.declared_readers import index_public_keys
from envtree.model.diagnostic import RefusedError
from envtree.model.source import Kind
from envtree.model.tree_layout import ROOT_FILE
from envtree.refactor.declare_reader import DeclarationError, declare_reader
from envtree.secrets.access.access_plan import plan_rules
from envtree.secrets.access.own_key import OwnKey, find_or_make_key
from envtree.system.atomic_files import create_file, replace_file
from envtree.system.console import err
from envtree.system.git import repository_root

_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class SecretsInitOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    name: str | None
    color: str


def run(options: SecretsInitOptions) -> ExitCode:
    """Do the steps that are not done yet, and report each."""
    name = _person_name(options.name)
    try:
        session = open_secrets_session(options.directory, options.color)
        key = _find_key(session)
        is_declared = _declare(session, name, key)
        # The rules follow from the declarations that were written.
        has_rules = _write_rules(open_secrets_session(options.directory, options.color))
    except CommandStoppedError:
        return ExitCode.FAILURE
    if not (_install(session) or key.is_new or is_declared or has_rules):
        err("nothing to do\n")
    return ExitCode.OK


def _person_name(name: str | None) -> str:
    """Return the name to declare; raise a usage error for one that organization.yaml could not have."""
    if name is None:
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", _login_name()).strip(".-_")[:63] or "me"
    if not _PERSON.fullmatch(name):
        raise usage_error(f"'{name}' is no name for 'people'", "use letters, digits, '.', '-' and '_', such as ana")
    return name


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _find_key(session: SecretsSession) -> OwnKey:
    organization = session.workspace.organization
    if "age" not in organization.secrets_policy.key_types:
        hint = "add 'age' to 'secrets.key_types' in organization.yaml, or declare a key of another type yourself"
        raise RefusedError("ET604", "the policy of this tree does not allow age keys", hint)
    key = find_or_make_key(index_public_keys(organization.document))
    if key.is_new:
        err(f"made the age key {key.public} in '{printable(key.file)}': keep a copy in a safe place\n")
    return key


def _declare(session: SecretsSession, name: str, key: OwnKey) -> bool:
    """Declare the owner of the key as a reader; return whether the file has changed."""
    owner = index_public_keys(session.workspace.organization.document).get(key.public)
    name = owner.person if owner else name
    before = session.read_plain(ROOT_FILE) or b""
    try:
        after = declare_reader(before.decode(), name, key.public).encode()
    except DeclarationError as error:
        raise RefusedError("ET647", error.message, error.hint) from None
    if after == before:
        return False
    if not session.check_content(ROOT_FILE, after):
        raise CommandStoppedError
    replace_file(session.tree.root, ROOT_FILE, before, after)
    err(f"declared '{name}' with {key.public} as a reader in {ROOT_FILE}\n")
    if any(resource.location.kind is Kind.SECRETS for resource in session.run.files.values()):
        err("'envtree secrets sync --update-keys', run by a present reader, opens the files that exist to you\n")
    return True


def _write_rules(session: SecretsSession) -> bool:
    """Write the generated rules of .sops.yaml; return whether the file has changed."""
    repository = repository_root(session.tree.root) or session.tree.root
    change = plan_rules(session.run, session.tree, repository).change
    if change is None:
        return False
    if change.before is None:
        create_file(repository, change.path, change.after)
    else:
        replace_file(repository, change.path, change.before, change.after)
    err(f"wrote {change.path}\n")
    return True


def _install(session: SecretsSession) -> bool:
    """Set up git, if the tree is in a repository; return whether anything has changed."""
    repository = repository_root(session.tree.root)
    if repository is None:
        err("this is no git repository: after 'git init', run this again for the drivers of git\n")
        return False
    installed = install_drivers(session.tree, repository)
    if any(installed):
        err(f"git merges and compares secrets with envtree from now on: commit {ATTRIBUTES_FILE}\n")
    return any(installed)
