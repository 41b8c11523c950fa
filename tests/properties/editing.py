"""Random edits of a drawn organization: values, keys, lists, files and secrets come, go and change."""

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
    """An organization, and the same after some edits."""
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


def _swap(draw: st.DrawFn, files: Tree, others: Tree) -> None:
    """Take a file out, or put in what another organization has there."""
    known = sorted({*files, *others} - {"organization.yaml"})
    if not known:
        return
    path = draw(st.sampled_from(known))
    if path in others and draw(chance(70)):
        files[path] = copy.deepcopy(others[path])
    else:
        files.pop(path, None)


def _edit(draw: st.DrawFn, files: Tree, values: st.SearchStrategy[Any]) -> None:
    """Change, take out, rename or repeat something in a file."""
    path = draw(st.sampled_from(sorted(files)))
    section = files[path].get("execution_environment", {}) if draw(chance(70)) else {}
    homes = [home for home in _homes(section or files[path]) if home]
    if not homes:
        return
    home = draw(st.sampled_from(homes))
    if isinstance(home, list):
        at = draw(st.integers(0, len(home) - 1))
        draw(st.sampled_from([home.pop, lambda n: home.insert(n, home[-1]), lambda n: home.reverse()]))(at)
        return
    key = draw(st.sampled_from(sorted(home)))
    what = draw(st.integers(0, 3))
    if what == 0:
        del home[key]
    elif what == 1 and not isinstance(home[key], dict | list):
        home[key] = draw(values)
    elif what == 2:
        home[f"{key}_2"] = copy.deepcopy(home[key])
    else:
        home[draw(st.sampled_from(sorted(home)))] = copy.deepcopy(home[key])


def _homes(value: Any) -> list[Any]:
    """Every map and list inside a value, itself included."""
    if isinstance(value, dict):
        return [value, *(home for item in value.values() for home in _homes(item))]
    return [value, *(home for item in value for home in _homes(item))] if isinstance(value, list) else []
