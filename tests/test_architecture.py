"""The drawing in compiler/README.md and the code are one: stages, annotations, import order, sizes, secrecy."""

import ast
import importlib
import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compiler" / "envtree"
README = (ROOT / "compiler" / "README.md").read_text("utf-8")
STAGES = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", README, re.MULTILINE)
RANKS = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| [^|`]+ \| ((?:`\w+` ?)+)\|$", README, re.MULTILINE)]
RANK = {module: rank for rank, modules in enumerate(RANKS) for module in modules}
STAGE_RANK = 2

# One idea each, and longer than a function should be; the reason stands at the top of each.
LONG_FUNCTIONS = {"_compose"}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).parts[0].removesuffix(".py"), path, ast.parse(path.read_text("utf-8"))


def names_in(annotation: Any) -> set[str]:
    """The names of all types that an annotation mentions."""
    if typing.get_args(annotation):
        inside = {name for argument in typing.get_args(annotation) for name in names_in(argument)}
        return inside | {getattr(annotation, "__name__", "")}
    return {getattr(annotation, "__name__", str(annotation))}


@pytest.mark.parametrize(("stage", "takes", "gives"), STAGES, ids=[stage for stage, *_ in STAGES])
def test_a_stage_takes_and_gives_what_the_table_says(stage: str, takes: str, gives: str) -> None:
    function = getattr(importlib.import_module(f"envtree.{stage}"), stage)
    hints = typing.get_type_hints(function)
    given = names_in(hints.pop("return"))
    aliases = {"None": "NoneType"}
    assert aliases.get(gives, gives) in given
    taken = {name for parameter in inspect.signature(function).parameters for name in names_in(hints[parameter])}
    assert takes in taken


def test_the_table_has_the_stages_of_the_pipeline_in_their_order() -> None:
    text = "".join((PACKAGE / name).read_text("utf-8") for name in ("reading.py", "pipeline.py", "publish.py"))
    order = "discover parse validate link layer merge resolve bundle lint advise emit write"
    assert [stage for stage, *_ in STAGES] == order.split()
    assert all(re.search(rf"\b{stage}\(", text) for stage, *_ in STAGES)


def test_every_module_has_one_rank() -> None:
    found = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found - {"__init__", "__pycache__", "schema", "py.typed"} == set(RANK)
    assert len(RANK) == sum(map(len, RANKS))


def test_imports_go_one_way_and_no_stage_imports_a_stage() -> None:
    wrong = []
    for module, path, tree in modules():
        for node in ast.walk(tree):
            target = re.match(r"envtree\.(\w+)", getattr(node, "module", None) or "")
            if not isinstance(node, ast.ImportFrom) or not target or module == "__init__":
                continue
            mine, theirs = RANK[module], RANK[target[1]]
            same = module == target[1]
            if theirs > mine or (mine == theirs == STAGE_RANK and not same):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {target[1]}")
    assert wrong == []


def test_modules_import_each_other_in_no_circle() -> None:
    graph = {
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): {
            (node.module or "").removeprefix("envtree.")
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("envtree.")
            # A package whose own parts stand in it is imported by importing one of them.
            if node.module != ".".join(("envtree", *path.relative_to(PACKAGE).parts[:-1]))
        }
        for _, path, tree in modules()
    }
    from graphlib import TopologicalSorter

    assert list(TopologicalSorter(graph).static_order())


def test_files_and_functions_are_small() -> None:
    wrong = []
    for _, path, tree in modules():
        if len(path.read_text("utf-8").splitlines()) > 400:
            wrong.append(f"{path.relative_to(PACKAGE)} is longer than 400 lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name not in LONG_FUNCTIONS:
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > 40:
                    wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name} has {lines} lines")
    assert wrong == []


def test_secrets_are_revealed_in_three_stages_only() -> None:
    allowed = {"resolve", "lint", "emit", "resolved"}
    found = {module for module, path, _ in modules() if re.search(r"\breveal\(", path.read_text("utf-8"))}
    assert found <= allowed
