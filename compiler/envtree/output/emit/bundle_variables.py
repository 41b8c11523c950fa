"""The input of the writers: the variables of a bundle as texts, and the names of those that are not shown."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.model.artifact import SecretsMode
from envtree.model.canonical_json import encode_compact
from envtree.model.keypath import KeyPath
from envtree.model.output_settings import KubernetesSettings
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts
from envtree.output.emit.comparison_key import comparison_key
from envtree.output.emit.dialect import WriterInput
from envtree.output.emit.flatten import flatten
from envtree.output.emit.secret_mode import apply_mode

_TEXT_TYPES = frozenset({str})


class NameConflict(NamedTuple):
    """A variable that two values claim: the path of the second one, and that of the first."""

    name: str
    path: KeyPath
    first_path: KeyPath


class BundleVariables(NamedTuple):
    """The variables of a bundle, sorted by name; `section_paths` has the paths of those that come from sections."""

    values: Mapping[str, Any]
    section_paths: Mapping[str, KeyPath]
    conflicts: tuple[NameConflict, ...]

    def path_of(self, name: str) -> KeyPath:
        """Return the path of a variable's value in the bundle."""
        return self.section_paths.get(name, ("env_vars", name))


def collect_variables(bundle: Bundle, patterns: Mapping[str, str]) -> BundleVariables:
    """Return all variables; of two with the same name the first one counts."""
    if not patterns:
        return BundleVariables(_sort_by_name(bundle.data["env_vars"]), {}, ())
    values = dict(bundle.data["env_vars"])
    paths: dict[str, KeyPath] = {}
    conflicts = []
    for flat in flatten(bundle.data, patterns):
        if flat.name in values:
            conflicts.append(NameConflict(flat.name, flat.path, paths.get(flat.name, ("env_vars", flat.name))))
        else:
            values[flat.name], paths[flat.name] = flat.value, flat.path
    return BundleVariables(_sort_by_name(values), paths, tuple(conflicts))


def _sort_by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    # Sorting the names alone takes half the time of sorting pairs.
    return {name: values[name] for name in sorted(values)}


def prepare_writer_input(
    bundle_variables: BundleVariables, mode: SecretsMode | None, data: Mapping[str, Any], kubernetes: KubernetesSettings
) -> WriterInput:
    """Return the variables as a mode shows them; without a mode, hidden ones are left out."""
    if not kubernetes.hash_suffix and set(map(type, bundle_variables.values.values())) <= _TEXT_TYPES:
        return WriterInput(bundle_variables.values, data=data, kubernetes=kubernetes)
    texts: dict[str, str] = {}
    secret_names: list[str] = []
    references: dict[str, Any] = {}
    unknown_names: list[str] = []
    for name, value in bundle_variables.values.items():
        if type(value) is str:
            texts[name] = value
            continue
        hidden = [value] if type(value) is HiddenValue else [part for _, part in hidden_parts(value)]
        is_secret = any(part.secret for part in hidden)
        secret_names += [name] if is_secret else []
        if not hidden or (mode == "plain" and all(part.is_known for part in hidden)):
            texts[name] = _format_text(apply_mode(value, mode))
        elif is_secret:
            references[name] = apply_mode(value, "ref") if kubernetes.secret_store else {}
        else:
            unknown_names.append(name)
    fingerprint = _compute_fingerprint(bundle_variables, secret_names) if kubernetes.hash_suffix else ""
    return WriterInput(
        texts=texts,
        secret_names=frozenset(secret_names).difference(references),
        references=references,
        unknown_names=tuple(unknown_names),
        data=data,
        kubernetes=kubernetes,
        fingerprint=fingerprint,
    )


def _format_text(value: Any) -> str:
    """Return the text of a variable: a string as it is, any other value as JSON."""
    if isinstance(value, str):
        return value
    return encode_compact(value) if isinstance(value, dict | list) else json.dumps(value)


def _compute_fingerprint(bundle_variables: BundleVariables, names: list[str]) -> str:
    """Return a digest of the ciphertexts; a hash of a short secret could be reversed by trying all values."""
    keys = b"".join(name.encode() + b"\0" + comparison_key(bundle_variables.values[name]) for name in names)
    return hashlib.sha256(keys).hexdigest()
