"""What the writers are given of a bundle: its environment as texts, and the names of what is not shown."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.model.artifact import Mode
from envtree.model.canonical_json import compact
from envtree.model.keypath import KeyPath
from envtree.model.output_settings import Kubernetes
from envtree.model.resolved import Bundle, Hidden, hidden_parts
from envtree.output.emit.dialect import Variables
from envtree.output.emit.flatten import flatten
from envtree.output.emit.marks import mark
from envtree.output.emit.shown import shown

_TEXT = frozenset({str})


class Clash(NamedTuple):
    """A variable that two places want: the second one, and the first."""

    name: str
    path: KeyPath
    taken: KeyPath


class Environment(NamedTuple):
    """The variables of a bundle and those of its sections, sorted by name; `places` has where the latter come from."""

    values: Mapping[str, Any]
    places: Mapping[str, KeyPath]
    clashes: tuple[Clash, ...]

    def place(self, name: str) -> KeyPath:
        """Where in the bundle the value of a variable is."""
        return self.places.get(name, ("env_vars", name))


def environment(bundle: Bundle, patterns: Mapping[str, str]) -> Environment:
    """All variables; of two with one name the first counts."""
    if not patterns:
        return Environment(_by_name(bundle.data["env_vars"]), {}, ())
    wanted = dict(bundle.data["env_vars"])
    places: dict[str, KeyPath] = {}
    clashes = []
    for flat in flatten(bundle.data, patterns):
        if flat.name in wanted:
            clashes.append(Clash(flat.name, flat.path, places.get(flat.name, ("env_vars", flat.name))))
        else:
            wanted[flat.name], places[flat.name] = flat.value, flat.path
    return Environment(_by_name(wanted), places, tuple(clashes))


def _by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    # Names alone are sorted in half of the time that pairs take.
    return {name: values[name] for name in sorted(values)}


def variables(found: Environment, mode: Mode | None, data: Mapping[str, Any], kubernetes: Kubernetes) -> Variables:
    """The variables as a mode shows them; without a mode, what is hidden is left out."""
    if not kubernetes.hash_suffix and set(map(type, found.values.values())) <= _TEXT:
        return Variables(found.values, data=data, kubernetes=kubernetes)
    texts: dict[str, str] = {}
    secret: list[str] = []
    references: dict[str, Any] = {}
    unknown: list[str] = []
    for name, value in found.values.items():
        if type(value) is str:
            texts[name] = value
            continue
        hidden = [value] if type(value) is Hidden else [part for _, part in hidden_parts(value)]
        is_secret = any(part.secret for part in hidden)
        secret += [name] if is_secret else []
        if not hidden or (mode == "plain" and all(part.known for part in hidden)):
            texts[name] = _text(shown(value, mode))
        elif is_secret:
            references[name] = shown(value, "ref") if kubernetes.store else {}
        else:
            unknown.append(name)
    fingerprint = _fingerprint(found, secret) if kubernetes.hash_suffix else ""
    shown_secrets = frozenset(secret).difference(references)
    return Variables(texts, shown_secrets, references, tuple(unknown), data, kubernetes, fingerprint)


def _text(value: Any) -> str:
    """The text of a value by the rule of variables: JSON, but for texts, which stay as they are."""
    if isinstance(value, str):
        return value
    return compact(value) if isinstance(value, dict | list) else json.dumps(value)


def _fingerprint(found: Environment, names: list[str]) -> str:
    """Of ciphertexts: a hash of a short secret would tell it to whoever tries all."""
    marks = b"".join(name.encode() + b"\0" + mark(found.values[name]) for name in names)
    return hashlib.sha256(marks).hexdigest()
