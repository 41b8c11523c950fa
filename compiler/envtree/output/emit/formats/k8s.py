"""Objects for Kubernetes: a ConfigMap for what everybody may see, a Secret for the rest, or where to fetch it from."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from envtree.model.canonical_json import canonical
from envtree.model.output_settings import Store
from envtree.output.emit.dialect import Dialect, Excess, Missing, Variables
from envtree.output.emit.yaml_text import document

# What Kubernetes takes as the values of one object, and as its annotations, to which `kubectl apply` adds the object.
_OBJECT = 1024 * 1024
_ANNOTATIONS = 256 * 1024
_LONGEST_NAME = 253
_LONGEST_LABEL = 63
# What a pattern can name.
PARTS = ("project", "team", "agent", "environment")
# How much of a SHA-256 tells names apart.
_SUFFIX = 10

_PART = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_FITTING = re.compile(rf"{_PART}(?:\.{_PART})*")
_DOTS = re.compile(r"[.-]*\.[.-]*")


def k8s(given: Variables) -> bytes:
    """One YAML document for each object."""
    return "---\n".join(document(each) for each in objects(given)).encode()


def objects(given: Variables) -> Iterator[dict[str, Any]]:
    """The ConfigMap, which is there for every bundle, and what holds the secrets, if there are any."""
    plain = {name: text for name, text in given.texts.items() if name not in given.secret}
    if not given.apart:
        yield _object(given, "v1", "ConfigMap", {"data": plain}, hashlib.sha256(canonical(plain)).hexdigest())
    if given.secret:
        coded = {name: base64.b64encode(given.texts[name].encode()).decode() for name in sorted(given.secret)}
        yield _object(given, "v1", "Secret", {"type": "Opaque", "data": coded}, given.fingerprint)
    if given.kubernetes.store and _remote(given):
        spec = _external(given, given.kubernetes.store)
        yield _object(given, "external-secrets.io/v1", "ExternalSecret", {"spec": spec}, given.fingerprint)


def _object(given: Variables, version: str, kind: str, body: dict[str, Any], digest: str) -> dict[str, Any]:
    name = object_name(given.kubernetes.name, given.data, given.data["id"])
    if given.kubernetes.hash_suffix:
        name = _suffixed(name, digest)
    metadata: dict[str, Any] = {"name": name}
    if given.kubernetes.namespace:
        metadata["namespace"] = given.kubernetes.namespace
    metadata["labels"] = _labels(given.data)
    metadata["annotations"] = {"envtree/id": given.data["id"]}
    missing = sorted({*given.unknown, *given.references} - _remote(given).keys())
    if kind == "ConfigMap" and missing:
        metadata["annotations"]["envtree/left-out"] = ", ".join(missing)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def object_name(pattern: str, data: Mapping[str, Any], id: str) -> str:
    """The name of a bundle's objects: what Kubernetes does not take is replaced, and a hash keeps such names apart."""
    parts = {part: data[part] or "" for part in PARTS}
    pattern = pattern if parts["team"] else re.sub(r"\{team\}[.-]?", "", pattern)
    wanted = pattern.format_map(parts)
    if len(wanted) <= _LONGEST_NAME and _FITTING.fullmatch(wanted):
        return wanted
    fitting = _DOTS.sub(".", wanted.replace("_", "-")).strip(".-")
    return _suffixed(fitting, hashlib.sha256(id.encode()).hexdigest())


def _suffixed(name: str, digest: str) -> str:
    """A name with the beginning of a digest at its end; one that has nothing else is that alone."""
    return f"{name[: _LONGEST_NAME - _SUFFIX - 1].rstrip('.-')}-{digest[:_SUFFIX]}".lstrip("-")


def _labels(data: Mapping[str, Any]) -> dict[str, str]:
    found = {
        "app.kubernetes.io/managed-by": "envtree",
        "app.kubernetes.io/name": data["agent"],
        "app.kubernetes.io/part-of": data["project"],
        "envtree/environment": data["environment"],
        "envtree/team": data["team"] or "",
    }
    # A label ends with a letter or a digit.
    return {key: value[:_LONGEST_LABEL].rstrip("-_") for key, value in found.items() if value}


def _external(given: Variables, store: Store) -> dict[str, Any]:
    """What the External Secrets Operator does: each secret is looked up by its file and its path in there."""
    return {
        "refreshInterval": given.kubernetes.refresh_interval,
        "secretStoreRef": {"name": store.name, "kind": store.kind},
        "data": [
            {"secretKey": name, "remoteRef": {"key": file, "property": path}}
            for name, (file, path) in sorted(_remote(given).items())
        ],
    }


def _remote(given: Variables) -> dict[str, tuple[str, str]]:
    """The secrets that a store has as they are, each with its file and its path."""
    kept = {name: value["$secret"] for name, value in given.references.items() if "$secret" in value}
    return {name: (file, path) for name, text in kept.items() for file, _, path in [text.partition("#")]}


def _unreachable(given: Variables) -> Iterator[Missing]:
    for name in sorted(given.references.keys() - _remote(given).keys()) if given.kubernetes.store else ():
        why = "it is computed from secrets, and an ExternalSecret only fetches them"
        yield Missing(name, why, "keep the whole value in a secrets file, or compile with --secrets plain")


def _excess(given: Variables, _: tuple[bytes, ...]) -> Iterator[Excess]:
    for kind, names in (("ConfigMap", given.texts.keys() - given.secret), ("Secret", given.secret)):
        size = sum(len(given.texts[name].encode()) for name in names)
        if size > _OBJECT:
            message = f"'env.k8s.yaml' puts {size} bytes into a {kind}, and Kubernetes takes {_OBJECT}"
            yield Excess(True, message, "move what is large into a file of the image, or a volume")
        elif size > _ANNOTATIONS:
            message = f"'env.k8s.yaml' puts {size} bytes into a {kind}, and 'kubectl apply' takes {_ANNOTATIONS}"
            yield Excess(False, message, "use 'kubectl apply --server-side', which keeps no copy in an annotation")


DIALECT = Dialect((k8s,), missing=_unreachable, excess=_excess, process=False)
