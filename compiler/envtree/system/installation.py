"""How this envtree was installed, and the command that installs one of its extras in the same way."""

import json
import os
import shlex
import shutil
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class _Source(NamedTuple):
    """What was installed: a requirement without its extras, whether it is editable, and the installer's name."""

    requirement: str
    is_editable: bool
    installer: str


def extra_hint(extra: str) -> str:
    """Return the hint of an error that an extra of envtree would prevent; without a name, that a new install would."""
    return f"run: {_install_command(extra)}"


def _install_command(extra: str) -> str:
    source = _installed_source()
    requirement = source.requirement
    if extra:
        name, at, url = requirement.partition(" @ ")
        requirement = f"{name}[{extra}]{at}{url}"
    editable = "-e " if source.is_editable else ""
    return f"{_installer(source)} {editable}{shlex.quote(requirement)}"


def _installer(source: _Source) -> str:
    """Return the command of the program that manages the environment of this interpreter."""
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").exists():
        return "uv tool install --force"
    if (prefix / "pipx_metadata.json").exists():
        return "pipx install --force"
    is_first = os.path.dirname(shutil.which("python") or "") == os.path.dirname(sys.executable)
    if source.installer == "uv":
        return "uv pip install" if is_first else f"uv pip install --python {shlex.quote(sys.executable)}"
    return "pip install" if is_first else f"{shlex.quote(sys.executable)} -m pip install"


def _installed_source() -> _Source:
    """Return what was installed, from the records of the installer (PEP 376 and PEP 610).

    They are read where this interpreter installs packages: one in the current folder could name any package.
    """
    for records in sorted(Path(sysconfig.get_path("purelib")).glob("envtree-*.dist-info")):
        with suppress(OSError, ValueError):
            installer = (records / "INSTALLER").read_text("utf-8").strip()
            origin_file = records / "direct_url.json"
            origin = json.loads(origin_file.read_text("utf-8")) if origin_file.exists() else {}
            return _Source(_requirement(origin), bool(origin.get("dir_info", {}).get("editable")), installer)
    return _Source("envtree", False, "")


def _requirement(origin: dict[str, str | dict[str, str]]) -> str:
    url = str(origin.get("url", ""))
    parts = urlsplit(url)
    if parts.scheme == "file" and "dir_info" in origin:
        return unquote(parts.path)
    version_control = origin.get("vcs_info")
    if isinstance(version_control, dict):
        url = f"{version_control['vcs']}+{url}@{version_control['commit_id']}"
    return f"envtree @ {url}" if url else "envtree"
