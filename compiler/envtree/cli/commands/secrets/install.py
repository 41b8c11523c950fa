"""Implementation of `envtree secrets install`: set up git to merge and compare secrets files with envtree."""

import shlex
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.git_drivers import ATTRIBUTES_FILE, attribute_lines, git_settings, install_drivers
from envtree.cli.support.session import open_tree
from envtree.model.diagnostic import RefusedError
from envtree.system.console import err, out
from envtree.system.git import repository_root


class SecretsInstallOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    write: bool


def run(options: SecretsInstallOptions) -> ExitCode:
    """Print the settings, or write them."""
    tree = open_tree(options.directory)
    if not options.write:
        lines = (f"git config --local {name} {shlex.quote(value)}" for name, value in git_settings().items())
        out("\n".join([*lines, "", f"# in {ATTRIBUTES_FILE}:", *attribute_lines(), ""]))
        return ExitCode.OK
    repository = repository_root(tree.root)
    if repository is None:
        raise RefusedError("ET805", f"'{tree.root}' is in no git repository", "begin one with 'git init'")
    installed = install_drivers(tree, repository)
    err(f"git merges and compares the secrets files below '{tree.root}' with envtree from now on\n")
    if installed.attributes:
        err(f"commit '{tree.root / ATTRIBUTES_FILE}', so that others need no more than this command\n")
    return ExitCode.OK
