"""The commands in the README of the control plane's example print the output shown there."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.end_to_end.control_plane.trees import ROOT, Site
from tests.end_to_end.test_readme import LIVE, play

pytestmark = pytest.mark.control_plane


def test_the_commands_of_the_example_print_what_is_shown(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "copy" / "examples" / LIVE
    shutil.copytree(ROOT / "examples" / LIVE, folder)
    head = folder / "organization.yaml"
    head.write_text(re.sub(r"(?m)^name: .*$", f"name: {site.organization}", head.read_text()))
    program = tmp_path / "bin" / "envtree"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envtree "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    environ = {**site.environ, "PATH": path, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}
    play(f"examples/{LIVE}/README.md", folder, environ)
