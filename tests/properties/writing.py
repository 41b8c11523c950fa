"""Write a drawn tree to disk, with secrets in the form of SOPS files, and decrypt them."""

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Any

from envtree.model.secrets_file import SecretsFile
from tests.properties.layering import Tree
from tests.properties.merging import Plain, literal
from tests.properties.resolving import text_of

RECIPIENT = "age1levy56uqmrfwsdrueea4vzpy8lsgud6aet5al06mae42mxdkmyqs72335c"
TYPES = {bool: "bool", int: "int", float: "float", str: "str"}


def write_tree(root: Folder, tree: Tree, secrets: Tree, *, flow: bool = False) -> None:
    """Write every file; the secrets look encrypted."""
    sealed = {path: seal(data) for path, data in secrets.items()}
    for path, data in {**tree, **sealed}.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(flow_text(data) + "\n" if flow else block_text(data), encoding="utf-8")


def flow_text(value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {flow_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow_text(item) for item in value) + "]"
    return value.text if isinstance(value, Plain) else json.dumps(value, ensure_ascii=False)


def block_text(value: Any, indent: str = "") -> str:
    """Write a map over many lines; an empty one, and all below lists, on one."""
    if not isinstance(value, dict) or not value:
        return f"{indent}{flow_text(value)}\n"
    lines = []
    for key, item in value.items():
        nested = isinstance(item, dict) and item
        after = "\n" + block_text(item, indent + "  ") if nested else f" {flow_text(item)}\n"
        lines.append(f"{indent}{key if key.isidentifier() else json.dumps(key)}:{after}")
    return "".join(lines)


def seal(data: dict[str, Any]) -> dict[str, Any]:
    """Give plain data the form of a SOPS file: names, types and lengths are right, the ciphertexts are not."""
    return {
        **sealed(data),
        "sops": {
            "age": [{"recipient": RECIPIENT, "enc": envelope(data)}],
            "lastmodified": "2026-01-01T00:00:00Z",
            "mac": cipher(hashlib.sha512(repr(data).encode()).hexdigest().upper()),
            "unencrypted_suffix": "_unencrypted",
            "version": "3.11.0",
        },
    }


def envelope(data: dict[str, Any]) -> str:
    """Return text in the form of a wrapped data key, different for each file."""
    noise = hashlib.sha256(repr(data).encode()).digest()
    body = base64.b64encode(b"age-encryption.org/v1\n" + noise).decode()
    return f"-----BEGIN AGE ENCRYPTED FILE-----\n{body}\n-----END AGE ENCRYPTED FILE-----\n"


def sealed(value: Any) -> Any:
    """Seal every scalar of a value."""
    if isinstance(value, dict):
        return {key: sealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [sealed(item) for item in value]
    return cipher(literal(value))


def cipher(value: Any) -> str:
    """Return one sealed scalar, as long as its plaintext."""
    text = str(value) if isinstance(value, bool) else text_of(value)
    noise = hashlib.sha256(text.encode()).digest()
    data, iv, tag = (base64.b64encode(part).decode() for part in (text.encode(), noise, noise[:16]))
    return f"ENC[AES256_GCM,data:{data},iv:{iv},tag:{tag},type:{TYPES[type(value)]}]"


@dataclass(frozen=True)
class OpenBook:
    """A decrypter that knows the plain text of every secrets file."""

    plain: Tree

    def decrypt(self, sealed: SecretsFile) -> dict[str, Any]:
        """Return the plain text of a file."""
        data: dict[str, Any] = literal_everywhere(self.plain[sealed.path])
        return data

    def stop(self) -> None:
        """Do nothing, since no process runs."""


def literal_everywhere(value: Any) -> Any:
    """Replace unquoted scalars by their values, since decrypted values have no spelling."""
    if isinstance(value, dict):
        return {key: literal_everywhere(item) for key, item in value.items()}
    return [literal_everywhere(item) for item in value] if isinstance(value, list) else literal(value)
