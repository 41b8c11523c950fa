"""Random edits of a drawn organization: values, keys, lists, files and secrets are added, removed and changed."""

import copy
from typing import Any

from hypothesis import strategies as st

from tests.properties.layering import Tree
from tests.properties.organizations import Organization, organizations
from tests.properties.sections import chance

SCALARS = st.sampled_from(["blue", "green", "x", 1, 2, 2.5, True, False, "${{ env_vars.HOST }}", "${{ config.label }}"])
PLAINTEXTS = st.sampled_from(["t0", "t1", "secret-2", 7, True])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Organization, Organization]:
    """Draw an organization, and the same one after some edits."""
    base = draw(organizations())
    other = draw(organizations()) if draw(chance(40)) else base
    tree, secrets = copy.deepcopy(base.tree), copy.deepcopy(base.secrets)
    for _ in range(draw(st.integers(1, 5))):
        if draw(chance(25)):
            _swap(draw, *((secrets, other.secrets) if draw(chance(40)) else (tree, other.tree)))
        elif draw(chance(30)) and secrets:
            _edit(draw, secrets, PLAINTEXTS)
        else:
            _edit(draw, tree, SCALARS)
    return base, Organization(tree, secrets, base.flow, base.wild)


def _swap(draw: st.DrawFn, files: Tree, other_files: Tree) -> None:
    """Remove a file, or replace it by the one of another organization."""
    paths = sorted({*files, *other_files} - {"organization.yaml"})
    if not paths:
        return
    path = draw(st.sampled_from(paths))
    if path in other_files and draw(chance(70)):
        files[path] = copy.deepcopy(other_files[path])
    else:
        files.pop(path, None)


def _edit(draw: st.DrawFn, files: Tree, values: st.SearchStrategy[Any]) -> None:
    """Change, remove, rename or repeat an entry of a file."""
    path = draw(st.sampled_from(sorted(files)))
    section = files[path].get("execution_environment", {}) if draw(chance(70)) else {}
    containers = [container for container in _containers(section or files[path]) if container]
    if not containers:
        return
    container = draw(st.sampled_from(containers))
    if isinstance(container, list):
        index = draw(st.integers(0, len(container) - 1))
        draw(
            st.sampled_from(
                [
                    container.pop,
                    lambda position: container.insert(position, container[-1]),
                    lambda position: container.reverse(),
                ]
            )
        )(index)
        return
    key = draw(st.sampled_from(sorted(container)))
    operation = draw(st.integers(0, 3))
    if operation == 0:
        del container[key]
    elif operation == 1 and not isinstance(container[key], dict | list):
        container[key] = draw(values)
    elif operation == 2:
        container[f"{key}_2"] = copy.deepcopy(container[key])
    else:
        container[draw(st.sampled_from(sorted(container)))] = copy.deepcopy(container[key])


def _containers(value: Any) -> list[Any]:
    """Return every map and list inside a value, itself included."""
    if isinstance(value, dict):
        return [value, *(container for item in value.values() for container in _containers(item))]
    return [value, *(container for item in value for container in _containers(item))] if isinstance(value, list) else []
