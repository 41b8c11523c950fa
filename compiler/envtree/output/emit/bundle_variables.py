"""What the writers are given of a bundle: its environment as texts, and the names of what is not shown."""

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
    """A variable that two places want: the second one, and the first."""

    name: str
    path: KeyPath
    first_path: KeyPath


class BundleVariables(NamedTuple):
    """The variables of a bundle and those of its sections, sorted by name; `places` has where the latter come from."""

    values: Mapping[str, Any]
    section_paths: Mapping[str, KeyPath]
    conflicts: tuple[NameConflict, ...]

    def path_of(self, name: str) -> KeyPath:
        """Where in the bundle the value of a variable is."""
        return self.section_paths.get(name, ("env_vars", name))


def collect_variables(bundle: Bundle, patterns: Mapping[str, str]) -> BundleVariables:
    """All variables; of two with one name the first counts."""
    if not patterns:
        return BundleVariables(_sort_by_name(bundle.data["env_vars"]), {}, ())
    wanted = dict(bundle.data["env_vars"])
    places: dict[str, KeyPath] = {}
    clashes = []
    for flat in flatten(bundle.data, patterns):
        if flat.name in wanted:
            clashes.append(NameConflict(flat.name, flat.path, places.get(flat.name, ("env_vars", flat.name))))
        else:
            wanted[flat.name], places[flat.name] = flat.value, flat.path
    return BundleVariables(_sort_by_name(wanted), places, tuple(clashes))


def _sort_by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    # Names alone are sorted in half of the time that pairs take.
    return {name: values[name] for name in sorted(values)}


def prepare_writer_input(
    bundle_variables: BundleVariables, mode: SecretsMode | None, data: Mapping[str, Any], kubernetes: KubernetesSettings
) -> WriterInput:
    """The variables as a mode shows them; without a mode, what is hidden is left out."""
    if not kubernetes.hash_suffix and set(map(type, bundle_variables.values.values())) <= _TEXT_TYPES:
        return WriterInput(bundle_variables.values, data=data, kubernetes=kubernetes)
    texts: dict[str, str] = {}
    secret: list[str] = []
    references: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in bundle_variables.values.items():
        if type(value) is str:
            texts[name] = value
            continue
        hidden = [value] if type(value) is HiddenValue else [part for _, part in hidden_parts(value)]
        is_secret = any(part.secret for part in hidden)
        secret += [name] if is_secret else []
        if not hidden or (mode == "plain" and all(part.is_known for part in hidden)):
            texts[name] = _format_text(apply_mode(value, mode))
        elif is_secret:
            references[name] = apply_mode(value, "ref") if kubernetes.secret_store else {}
        else:
            unknown.append(name)
    fingerprint = _compute_fingerprint(bundle_variables, secret) if kubernetes.hash_suffix else ""
    shown_secrets = frozenset(secret).difference(references)
    return WriterInput(texts, shown_secrets, references, tuple(unknown), data, kubernetes, fingerprint)


def _format_text(value: Any) -> str:
    """The text of a value by the rule of variables: JSON, but for texts, which stay as they are."""
    if isinstance(value, str):
        return value
    return encode_compact(value) if isinstance(value, dict | list) else json.dumps(value)


def _compute_fingerprint(bundle_variables: BundleVariables, names: list[str]) -> str:
    """Of ciphertexts: a hash of a short secret would tell it to whoever tries all."""
    marks = b"".join(name.encode() + b"\0" + comparison_key(bundle_variables.values[name]) for name in names)
    return hashlib.sha256(marks).hexdigest()
