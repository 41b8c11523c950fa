"""compiler/README.md and the code agree: stages and their types, the order of imports, sizes, secrecy."""

import ast
import functools
import importlib
import inspect
import re
import typing
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "compiler"
README = (SOURCE / "README.md").read_text("utf-8")
STAGES = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", README, re.MULTILINE)
PACKAGES = re.findall(r"^\| `(\w+)` \| [^`|]+ \|$", README, re.MULTILINE)
HOMES = {"discover parse validate link": "frontend", "emit write": "output"}
# One idea each, and longer than a function should be; the reason is at the top of each.
LONG_FUNCTIONS = {"_compose_node"}


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of envtree by its dotted name; that of a package is its `__init__`."""
    return {
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_bytes())
        for path in sorted((SOURCE / "envtree").rglob("*.py"))
    }


@functools.cache
def imports() -> list[tuple[str, str]]:
    """Each module and one that it imports, for types only included, as parts of `envtree`."""
    known, pairs = modules(), []
    for name, tree in known.items():
        for node in ast.walk(tree):
            targets: list[str] = []
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{name} has a relative import"
                members = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = [member if member in known else str(node.module) for member in members]
            elif isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            for target in targets:
                if target.startswith("envtree.") and name != "envtree":
                    pairs.append((name.removeprefix("envtree."), target.removeprefix("envtree.")))
    return pairs


def test_imports_go_up_the_table_of_packages_only() -> None:
    rank = {package: number for number, package in enumerate(PACKAGES)} | {"__main__": len(PACKAGES)}
    assert rank.keys() == {path.stem for path in (SOURCE / "envtree").iterdir()} - {"__init__", "__pycache__", "py"}
    parts = [(module.partition(".")[0], target.partition(".")[0], module, target) for module, target in imports()]
    assert [f"{module} imports {target}" for one, other, module, target in parts if rank[other] > rank[one]] == []


@pytest.mark.parametrize("depth", range(1, 5))
def test_no_import_goes_in_a_circle(depth: int) -> None:
    """Neither between modules nor between the packages at a depth of the tree of folders."""
    graph: dict[str, set[str]] = {}
    for pair in imports():
        module, target = (".".join(name.split(".")[:depth]) for name in pair)
        package = (*pair[0].split(".")[: depth - 1],) == (*pair[1].split(".")[: depth - 1],)
        # A module imports its own package by being imported.
        if module != target and package and not module.startswith(f"{target}."):
            graph.setdefault(module, set()).add(target)
    assert list(TopologicalSorter(graph).static_order())


def _types_in(annotation: Any) -> set[str]:
    """The names of all types that an annotation mentions."""
    inside = {name for argument in typing.get_args(annotation) for name in _types_in(argument)}
    return inside | {getattr(annotation, "__name__", str(annotation))}


@pytest.mark.parametrize(("stage", "takes", "returns"), STAGES, ids=[stage for stage, *_ in STAGES])
def test_a_stage_has_the_types_of_the_table(stage: str, takes: str, returns: str) -> None:
    package = next((home for stages, home in HOMES.items() if stage in stages.split()), "compile")
    function = getattr(importlib.import_module(f"envtree.{package}.{stage}"), stage)
    hints = typing.get_type_hints(function)
    assert {"None": "NoneType"}.get(returns, returns) in _types_in(hints.pop("return"))
    assert takes in {
        name for parameter in inspect.signature(function).parameters for name in _types_in(hints[parameter])
    }


def test_the_table_has_the_stages_in_the_order_in_which_they_are_called() -> None:
    files = ("frontend/read_files.py", "engine/run.py", "engine/publish.py", "engine/by_project.py")
    text = "".join((SOURCE / "envtree" / file).read_text("utf-8") for file in files)
    assert len(STAGES) == 12
    assert [stage for stage, *_ in STAGES if not re.search(rf"\b{stage}\(", text)] == []


def test_files_and_functions_are_small() -> None:
    large = []
    for name, tree in modules().items():
        last = max((node.end_lineno or 0 for node in tree.body), default=0)
        if last > 400:
            large.append(f"{name} has {last} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name not in LONG_FUNCTIONS:
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 40:
                    large.append(f"{name}:{node.lineno} {node.name} has {lines} lines")
    assert large == []


def test_secrets_are_revealed_by_few_packages() -> None:
    allowed = (
        "envtree.compile.resolve",
        "envtree.compile.bundle_lint",
        "envtree.output.emit",
        "envtree.model.resolved",
    )
    calls = {name for name, tree in modules().items() for node in ast.walk(tree) if _is_call_of(node, "reveal")}
    assert calls
    assert [name for name in calls if not name.startswith(allowed)] == []


def _is_call_of(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
