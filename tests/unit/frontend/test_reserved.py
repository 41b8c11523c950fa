"""Reserved names of variables: their effect on programs of this machine."""

import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from envtree.frontend.validate.reserved_names import may_contain_reserved_names, unsafe_variable_reason


def write_executable(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def plant_perl(folder: Path) -> tuple[dict[str, str], list[str]]:
    write_executable(folder / "strict.pm", f"open(F, '>', '{folder}/ran'); 1;\n")
    return {"PERLLIB": str(folder)}, ["perl", "-e", "use strict;"]


def plant_python(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Write a compiled module that Python does not compare with its source."""
    source = write_executable(folder / "planted.py", f"open('{folder}/ran', 'w')\n")
    environ = {"PYTHONPYCACHEPREFIX": str(folder / "cache")}
    print_cache_path = "import importlib.util, this; print(importlib.util.cache_from_source(this.__file__))"
    result = subprocess.run(
        [sys.executable, "-c", print_cache_path], env=environ, check=True, capture_output=True, text=True
    )
    cache = result.stdout.splitlines()[-1]
    py_compile.compile(str(source), cache, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    return environ, [sys.executable, "-c", "import this"]


def plant_npm(folder: Path) -> tuple[dict[str, str], list[str]]:
    write_executable(folder / "package.json", '{"scripts": {"x": "true"}}')
    shell = write_executable(folder / "shell", f"#!/bin/sh\ntouch {folder}/ran\n")
    return {"npm_config_script_shell": str(shell)}, ["npm", "run", "x", "--prefix", str(folder)]


def plant_key_log(folder: Path) -> tuple[dict[str, str], list[str]]:
    return {"SSLKEYLOGFILE": f"{folder}/ran"}, [sys.executable, "-c", "import ssl; ssl.create_default_context()"]


@pytest.mark.parametrize("plant", [plant_perl, plant_python, plant_npm, plant_key_log])
def test_t71_names_by_which_programs_of_this_machine_run_or_write_what_the_tree_says(
    plant: Callable[[Path], tuple[dict[str, str], list[str]]], tmp_path: Path
) -> None:
    variables, command = plant(tmp_path)
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables}
    subprocess.run(command, env=environ, check=False, capture_output=True)
    assert (tmp_path / "ran").exists()
    for name in variables:
        assert unsafe_variable_reason(name)
        assert may_contain_reserved_names(f'"{name}"'.encode())
