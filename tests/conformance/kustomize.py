"""The tables of kustomize's library kyaml: merges of a patch into a document, and three-way merges."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from envtree.model.nodes import EncryptedValue, ScalarNode
from envtree.model.span import FILE_START
from envtree.secrets.edit.sops_values import SopsValue, SopsValues
from envtree.secrets.edit.three_way import merge_three_way
from tests.conformance.case import Case, attempt
from tests.conformance.go_source import structs
from tests.conformance.layered import merge_by_policies
from tests.conformance.packages import KYAML, unpack
from tests.properties.merge_model import nested

_SOURCES = Path("usr/share/gocode/src/sigs.k8s.io/kustomize/kyaml/yaml")
# A kind of object whose lists are merged by its schema, or a schema in a comment that declares it.
_MERGED = ("apiVersion: apps/v1", "kind: Service", '"x-kubernetes-patch-strategy"')
_MERGE_KEYS = ("name", "port")
_PATCH = "$patch"


def _table(name: str) -> Iterator[dict[str, str]]:
    for file in sorted((unpack(KYAML) / _SOURCES / name).glob("*_test.go")):
        yield from structs(file.read_text("utf-8"), "description")


def two_way_patches() -> Iterator[Case]:
    """Yield each patch as a layer over its document, with kustomize's directives expressed in envtree's."""
    for number, row in enumerate(_table("merge2")):
        id = f"{row['description']} ({number})"
        document, patch, expected = (yaml.safe_load(row[field]) for field in ("dest", "source", "expected"))
        theirs = {} if expected is None else {"v": expected}
        layers = [{"v": document}, {"v": _directive(document, patch)}]
        is_merged = row.get("infer") == "true" or any(sign in row["dest"] for sign in _MERGED)
        ours = attempt(merge_by_policies, layers, _policies(document, patch, "v") if is_merged else {})
        prepends = "Append" not in row.get("mergeOptions", "")
        yield Case(id, ours, theirs, "prepended elements" if prepends else "")


def _policies(document: Any, patch: Any, path: str) -> dict[str, str]:
    """Return the policies of the lists in a patch that Kubernetes merges: all but commands and arguments."""
    if isinstance(patch, dict):
        below = document if isinstance(document, dict) else {}
        found = (_policies(below.get(key), value, f"{path}.{key}") for key, value in patch.items())
        return {list_path: policy for policies in found for list_path, policy in policies.items()}
    if isinstance(patch, list):
        keys = [key for key in _MERGE_KEYS if any(isinstance(element, dict) and key in element for element in patch)]
        return {path: f"{{by_key: {keys[0]}}}" if keys else "union"}
    return {}


def _directive(document: Any, patch: Any) -> Any:
    """Return a patch with directives for null and `$patch`."""
    if patch is None:
        return {"$delete": True}
    if isinstance(patch, list):
        return _list_directive(document, patch)
    if not isinstance(patch, dict):
        return patch
    rest = {key: value for key, value in patch.items() if key != _PATCH}
    if patch.get(_PATCH) == "delete":
        return {"$delete": True}
    if patch.get(_PATCH) == "replace":
        return {"$replace": rest}
    below = document if isinstance(document, dict) else {}
    return {key: _directive(below.get(key), value) for key, value in rest.items()}


def _list_directive(document: Any, patch: list[Any]) -> Any:
    """Return a list with `$patch` as an element of its own, or in the elements to delete."""
    rest = [element for element in patch if not isinstance(element, dict) or element.keys() != {_PATCH}]
    (method,) = [element[_PATCH] for element in patch if element not in rest] or ["merge"]
    if method != "merge":
        return {"$delete": True} if method == "delete" else {"$replace": rest}
    deleted = [element["name"] for element in rest if isinstance(element, dict) and _PATCH in element]
    if not deleted:
        return rest
    added = [element for element in rest if _PATCH not in element and element not in document]
    return {"$remove": deleted, "$append": added} if added else {"$remove": deleted}


def three_way_tables() -> Iterator[Case]:
    """Yield the documents as versions of a secrets file, whose conflicts are resolved for the update, as kyaml does."""
    for number, row in enumerate(_table("merge3")):
        id = f"{row['description']} ({number})"
        versions = [yaml.safe_load(row[field]) or {} for field in ("origin", "local", "update")]
        expected = yaml.safe_load(row["expected"]) or {}
        yield Case(id, attempt(_merge_versions, *versions), expected, _three_way_rule(versions))


def _merge_versions(*versions: Any) -> Any:
    """Return the merged document of an origin, a local version and an update."""
    values = [dict(_leaves(version, ())) for version in versions]
    result = merge_three_way(*values)
    merged: SopsValues = result.values
    for conflict in result.conflicts:
        merged = {path: leaf for path, leaf in merged.items() if path[: len(conflict)] != conflict}
        merged |= {path: leaf for path, leaf in values[2].items() if path[: len(conflict)] == conflict}
    return nested({path: leaf.plain for path, leaf in merged.items()})


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], SopsValue]]:
    """Yield the values of a document as in a secrets file, where a list is one value."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    else:
        text = repr(value)
        yield path, SopsValue(ScalarNode(EncryptedValue("str", 1, text, text), text, False, FILE_START), value)


def _three_way_rule(versions: list[Any]) -> str:
    """Name what kyaml treats in another way; "null" comes first, since it is the rarer one."""
    if any(None in _values(version) for version in versions):
        return "null"
    return "elements of a list" if any(map(_is_list_of_maps, _values(versions))) else ""


def _is_list_of_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(element, dict) for element in value)


def _values(value: Any) -> list[Any]:
    """Return a value and all values in it."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(inner for child in children for inner in _values(child))]
