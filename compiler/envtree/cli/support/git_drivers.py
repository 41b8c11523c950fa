"""The settings with which git merges and compares secrets files by envtree."""

import os
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from envtree.model.diagnostic import MachineError, RefusedError
from envtree.model.tree_layout import SECRETS_FILE_FORMATS
from envtree.sources.tree import DirectoryTree
from envtree.system.atomic_files import create_file, replace_file
from envtree.system.git import read_config, set_config_value

ATTRIBUTES_FILE = ".gitattributes"
_DRIVER = "envtree-secrets"
_BEGIN = "# >>> envtree secrets install: generated >>>"
_END = "# <<< envtree secrets install <<<"


class InstalledDrivers(NamedTuple):
    """Whether .gitattributes has changed, and the settings of the clone."""

    attributes: bool
    settings: bool


def install_drivers(tree: DirectoryTree, repository: Path) -> InstalledDrivers:
    """Write .gitattributes and the settings of the clone, where they differ."""
    attributes, present = _write_attributes(tree), read_config(repository)
    missing = {name: value for name, value in git_settings().items() if present.get(name) != value}
    for name, value in missing.items():
        set_config_value(repository, name, value)
    return InstalledDrivers(attributes, bool(missing))


def git_settings() -> dict[str, str]:
    """Return the settings of a clone, by name."""
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


def attribute_lines() -> list[str]:
    """Return the lines of .gitattributes."""
    return [f"*.secrets.{format} merge={_DRIVER} diff={_DRIVER}" for format in SECRETS_FILE_FORMATS]


def _write_attributes(tree: DirectoryTree) -> bool:
    """Write the lines between their markers in .gitattributes; return whether the file has changed."""
    exists = os.path.lexists(tree.root / ATTRIBUTES_FILE)
    current = tree.read(ATTRIBUTES_FILE) if exists else b""
    if not isinstance(current, bytes):
        raise MachineError(*current)
    before = current.decode(errors="surrogateescape")
    block = "\n".join([_BEGIN, *attribute_lines(), _END, ""])
    head, begin, rest = before.partition(f"{_BEGIN}\n")
    _, end, tail = rest.partition(f"{_END}\n")
    if begin and not end:
        message = f"in '{tree.root / ATTRIBUTES_FILE}' the line '{_END}' is missing"
        raise RefusedError("ET808", message, f"take out the line '{_BEGIN}'")
    if not begin:
        head += "\n" if head and not head.endswith("\n") else ""
    after = (head + block + tail).encode(errors="surrogateescape")
    if after == current:
        return False
    if exists:
        replace_file(tree.root, ATTRIBUTES_FILE, current, after)
    else:
        create_file(tree.root, ATTRIBUTES_FILE, after)
    return True
