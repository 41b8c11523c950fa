"""Implementation of `envtree secrets install`: set up git to merge and compare secrets files with envtree."""

import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.session import open_tree
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.model.tree_layout import SECRETS_FILE_FORMATS
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import create_file, replace_file
from envtree.system.console import err, out
from envtree.system.git import repository_root, set_config_value

_DRIVER = "envtree-secrets"
_ATTRIBUTES = ".gitattributes"
_BEGIN = "# >>> envtree secrets install: generated >>>"
_END = "# <<< envtree secrets install <<<"


class SecretsInstallOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    write: bool


def run(options: SecretsInstallOptions) -> ExitCode:
    """Print the settings, or write them."""
    tree = open_tree(options.directory)
    settings = _git_settings()
    if not options.write:
        lines = (f"git config --local {name} {shlex.quote(value)}" for name, value in settings.items())
        out("\n".join([*lines, "", f"# in {_ATTRIBUTES}:", *_attribute_lines(), ""]))
        return ExitCode.OK
    repository = repository_root(tree.root)
    if repository is None:
        raise RefusedError("ET805", f"'{tree.root}' is in no git repository", "begin one with 'git init'")
    has_changed = _write_attributes(tree)
    for name, value in settings.items():
        set_config_value(repository, name, value)
    err(f"git merges and compares the secrets files below '{tree.root}' with envtree from now on\n")
    if has_changed:
        err(f"commit '{tree.root / _ATTRIBUTES}', so that others need no more than this command\n")
    return ExitCode.OK


def _git_settings() -> dict[str, str]:
    program = " ".join(map(shlex.quote, _program_command()))
    # In the command of a merge driver, git expands placeholders that begin with '%'.
    driver = f"{program.replace('%', '%%')} secrets merge-driver -- %O %A %B %P"
    return {
        f"merge.{_DRIVER}.name": "merge SOPS files by key",
        f"merge.{_DRIVER}.driver": driver,
        f"diff.{_DRIVER}.textconv": f"{program} secrets diff-driver --",
    }


def _program_command() -> list[str]:
    """Return the command of this program with its absolute path, independent of the PATH that git has."""
    path = os.path.abspath(sys.argv[0])
    if Path(path).name == "envtree" and os.access(path, os.X_OK) and Path(path).is_file():
        return [path]
    # Git runs the command in the repository, from which Python must not import modules, hence `-P`.
    return [sys.executable, "-P", "-m", "envtree"]


def _attribute_lines() -> list[str]:
    return [f"*.secrets.{format} merge={_DRIVER} diff={_DRIVER}" for format in SECRETS_FILE_FORMATS]


def _write_attributes(tree: DirectoryTree) -> bool:
    """Write the lines between their markers in .gitattributes; return whether the file has changed."""
    exists = os.path.lexists(tree.root / _ATTRIBUTES)
    current = tree.read(_ATTRIBUTES) if exists else b""
    if not isinstance(current, bytes):
        raise MachineError(*current)
    before = current.decode(errors="surrogateescape")
    block = "\n".join([_BEGIN, *_attribute_lines(), _END, ""])
    head, begin, rest = before.partition(f"{_BEGIN}\n")
    _, end, tail = rest.partition(f"{_END}\n")
    if begin and not end:
        message = f"in '{tree.root / _ATTRIBUTES}' the line '{_END}' is missing"
        raise RefusedError("ET808", message, f"take out the line '{_BEGIN}'")
    if not begin:
        head += "\n" if head and not head.endswith("\n") else ""
    after = (head + block + tail).encode(errors="surrogateescape")
    if after == current:
        return False
    if exists:
        replace_file(tree.root, _ATTRIBUTES, current, after)
    else:
        create_file(tree.root, _ATTRIBUTES, after)
    return True
