"""Objects for Kubernetes: a ConfigMap, a Secret for the secrets, or an ExternalSecret that says where to fetch them."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from envtree.model.canonical_json import encode_canonical
from envtree.model.output_settings import SecretStore
from envtree.output.emit.dialect import Dialect, OmittedVariable, SizeLimit, WriterInput
from envtree.output.emit.yaml_text import format_document

# Kubernetes limits the values of one object, and its annotations, to which `kubectl apply` adds a copy of the object.
_MAX_OBJECT_SIZE = 1024 * 1024
_MAX_ANNOTATIONS_SIZE = 256 * 1024
_MAX_NAME_LENGTH = 253
_MAX_LABEL_LENGTH = 63
# Placeholders of a name pattern.
NAME_PARTS = ("project", "team", "agent", "environment")
# Length of the SHA-256 prefix that makes names unique.
_SUFFIX_LENGTH = 10

_NAME_SEGMENT = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_VALID_NAME = re.compile(rf"{_NAME_SEGMENT}(?:\.{_NAME_SEGMENT})*")
_DOT_RUN = re.compile(r"[.-]*\.[.-]*")


def k8s(env: WriterInput) -> bytes:
    """Return one YAML document for each object."""
    return "---\n".join(map(format_document, build_objects(env))).encode()


def build_objects(env: WriterInput) -> Iterator[dict[str, Any]]:
    """Yield the ConfigMap that every bundle has, and the objects for its secrets, if any."""
    plain = {name: text for name, text in env.texts.items() if name not in env.secret_names}
    if not env.is_secrets_only:
        yield _build_object(
            env, "v1", "ConfigMap", {"data": plain}, hashlib.sha256(encode_canonical(plain)).hexdigest()
        )
    if env.secret_names:
        encoded = {name: base64.b64encode(env.texts[name].encode()).decode() for name in sorted(env.secret_names)}
        yield _build_object(env, "v1", "Secret", {"type": "Opaque", "data": encoded}, env.fingerprint)
    if env.kubernetes.secret_store and _stored_secrets(env):
        spec = _external_secret_spec(env, env.kubernetes.secret_store)
        yield _build_object(env, "external-secrets.io/v1", "ExternalSecret", {"spec": spec}, env.fingerprint)


def _build_object(env: WriterInput, version: str, kind: str, body: dict[str, Any], digest: str) -> dict[str, Any]:
    name = object_name(env.kubernetes.name_pattern, env.data, env.data["id"])
    if env.kubernetes.hash_suffix:
        name = _append_hash(name, digest)
    metadata: dict[str, Any] = {"name": name}
    if env.kubernetes.namespace:
        metadata["namespace"] = env.kubernetes.namespace
    metadata["labels"] = _labels(env.data)
    metadata["annotations"] = {"envtree/id": env.data["id"]}
    missing = sorted({*env.unknown_names, *env.references} - _stored_secrets(env).keys())
    if kind == "ConfigMap" and missing:
        metadata["annotations"]["envtree/left-out"] = ", ".join(missing)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


def object_name(pattern: str, data: Mapping[str, Any], id: str) -> str:
    """Return the name of a bundle's objects; invalid characters are replaced, and a hash makes such a name unique."""
    parts = {part: data[part] or "" for part in NAME_PARTS}
    pattern = pattern if parts["team"] else re.sub(r"\{team\}[.-]?", "", pattern)
    name = pattern.format_map(parts)
    if len(name) <= _MAX_NAME_LENGTH and _VALID_NAME.fullmatch(name):
        return name
    valid_name = _DOT_RUN.sub(".", name.replace("_", "-")).strip(".-")
    return _append_hash(valid_name, hashlib.sha256(id.encode()).hexdigest())


def _append_hash(name: str, digest: str) -> str:
    """Return a name with the beginning of a digest appended; for an empty name that beginning alone."""
    return f"{name[: _MAX_NAME_LENGTH - _SUFFIX_LENGTH - 1].rstrip('.-')}-{digest[:_SUFFIX_LENGTH]}".lstrip("-")


def _labels(data: Mapping[str, Any]) -> dict[str, str]:
    labels = {
        "app.kubernetes.io/managed-by": "envtree",
        "app.kubernetes.io/name": data["agent"],
        "app.kubernetes.io/part-of": data["project"],
        "envtree/environment": data["environment"],
        "envtree/team": data["team"] or "",
    }
    # A label must end with a letter or a digit.
    return {key: value[:_MAX_LABEL_LENGTH].rstrip("-_") for key, value in labels.items() if value}


def _external_secret_spec(env: WriterInput, store: SecretStore) -> dict[str, Any]:
    """Return the spec for the External Secrets Operator: each secret is fetched by its file and the path in it."""
    return {
        "refreshInterval": env.kubernetes.refresh_interval,
        "secretStoreRef": {"name": store.name, "kind": store.kind},
        "data": [
            {"secretKey": name, "remoteRef": {"key": file, "property": path}}
            for name, (file, path) in sorted(_stored_secrets(env).items())
        ],
    }


def _stored_secrets(env: WriterInput) -> dict[str, tuple[str, str]]:
    """Return the secrets that a store contains unchanged, each with its file and its path."""
    references = {name: value["$secret"] for name, value in env.references.items() if "$secret" in value}
    return {name: (file, path) for name, text in references.items() for file, _, path in [text.partition("#")]}


def _find_omitted(env: WriterInput) -> Iterator[OmittedVariable]:
    for name in sorted(env.references.keys() - _stored_secrets(env).keys()) if env.kubernetes.secret_store else ():
        reason = "it is computed from secrets, and an ExternalSecret only fetches them"
        yield OmittedVariable(name, reason, "keep the whole value in a secrets file, or compile with --secrets plain")


def _check_size(env: WriterInput, _: tuple[bytes, ...]) -> Iterator[SizeLimit]:
    for kind, names in (("ConfigMap", env.texts.keys() - env.secret_names), ("Secret", env.secret_names)):
        size = sum(len(env.texts[name].encode()) for name in names)
        if size > _MAX_OBJECT_SIZE:
            message = f"'env.k8s.yaml' puts {size} bytes into a {kind}, and Kubernetes takes {_MAX_OBJECT_SIZE}"
            yield SizeLimit(True, message, "move what is large into a file of the image, or a volume")
        elif size > _MAX_ANNOTATIONS_SIZE:
            message = (
                f"'env.k8s.yaml' puts {size} bytes into a {kind}, and 'kubectl apply' takes {_MAX_ANNOTATIONS_SIZE}"
            )
            yield SizeLimit(False, message, "use 'kubectl apply --server-side', which keeps no copy in an annotation")


DIALECT = Dialect((k8s,), find_omitted=_find_omitted, check_size=_check_size, starts_process=False)
