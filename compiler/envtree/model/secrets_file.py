"""SOPS secrets files as read without a key, and the organization's policy for them."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any, Literal, NamedTuple

from envtree.model.diagnostic import RefusedError, ReportedError
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, EncryptedValue, MappingNode
from envtree.model.source import Location
from envtree.model.span import FILE_START, Span, file_span

# The root key of a secrets file with the encrypted scope: the location that the file belongs to.
SCOPE_KEY = "_scope"

# The kinds of master keys that belong to a person, not to a service.
PERSONAL_KEY_KINDS = frozenset({"age", "age-plugin", "age-ssh", "pgp"})

# By default, sops leaves values below a key with this suffix in plain text.
UNENCRYPTED_SUFFIX = "_unencrypted"

# The settings, of a rule and in the metadata of a file, by which sops may leave values in plain text.
EXEMPTION_SETTINGS = (
    "unencrypted_suffix",
    "encrypted_suffix",
    "unencrypted_regex",
    "encrypted_regex",
    "unencrypted_comment_regex",
    "encrypted_comment_regex",
)

_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
_CIPHERTEXT = re.compile(
    rf"ENC\[AES256_GCM,data:(?P<data>{_BASE64}),iv:[A-Za-z0-9+/]{{43}}=,tag:[A-Za-z0-9+/]{{22}}==,"
    r"type:(?P<type>str|int|float|bool|bytes|time|comment)\]"
)

_AGE_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")

_PUBLIC_KEY = re.compile(r"age1[0-9a-z]+|ssh-[a-z0-9]+ [A-Za-z0-9+/=]+|[0-9A-Fa-f]{8,64}")

# Excludes every character by which a URL parser could see another host or another path.
_ADDRESS = re.compile(r"[A-Za-z0-9._~:/\[\]-]+")


class CiphertextInfo(NamedTuple):
    """The properties of a plaintext that its ciphertext reveals: SOPS's type, and the length in bytes."""

    type: str
    length: int


def age_recipient_kind(recipient: str) -> str:
    """Return the kind of an age recipient.

    Only `age` decrypts with nothing but a key; `age-plugin` starts a program and `age-ssh` reads ~/.ssh.
    """
    if _AGE_RECIPIENT.fullmatch(recipient):
        return "age"
    return "age-ssh" if recipient.startswith("ssh-") else "age-plugin"


def printable_key(kind: str, value: str) -> str:
    """Return a key for display; a value that is no public key or address may be a secret and is not shown."""
    pattern = _PUBLIC_KEY if kind in PERSONAL_KEY_KINDS else _ADDRESS
    return value if pattern.fullmatch(value) else f"a key of type {kind}"


def parse_ciphertext(text: str) -> CiphertextInfo | None:
    """Parse an `ENC[…]` text; None for any other text, including an empty or malformed ciphertext."""
    match = _CIPHERTEXT.fullmatch(text)
    if match is None or not match["data"]:
        return None
    data = match["data"]
    # GCM does not pad: ciphertext and plaintext have the same length.
    return CiphertextInfo(match["type"], len(data) // 4 * 3 - data.count("="))


class Recipient(NamedTuple):
    """One key that can decrypt a file.

    `kind` is SOPS's own name (`age`, `pgp`, `kms`, `gcp_kms`, `azure_kv`, `hc_vault`, `hckms`), except that age
    recipients that run a plugin or are SSH keys have kinds of their own: `age-plugin`, `age-ssh`. `wrapped_data_key` is
    the data key of the file, or a part of it if the file has key groups, encrypted for this key. `group` is the index
    of the key group, from 0.
    """

    kind: str
    value: str
    wrapped_data_key: str
    span: Span
    group: int = 0


class Endpoint(NamedTuple):
    """A service that sops would call to decrypt a file: an address, a resource id or an ARN, including roles."""

    kind: str
    value: str
    span: Span


class SecretsFile(NamedTuple):
    """A SOPS file that passed every check that needs neither a key nor a policy.

    `content` has an `EncryptedValue` at every leaf and excludes `sops` and `_scope`; the `value` of its nodes is empty.
    `span` is the position of the `sops` map. A file that is not `is_readable` failed a check: only its path, location
    and digest are meaningful. Decrypting needs a key of each of `threshold` groups. `raw_data` is the whole file in its
    order, including the ciphertexts and the `sops` map.
    """

    path: str
    location: Location
    digest: str
    format: Literal["yaml", "json", "env"]
    content: MappingNode
    scope: EncryptedValue | None
    scope_span: Span
    recipients: tuple[Recipient, ...]
    endpoints: tuple[Endpoint, ...]
    lastmodified: str
    span: Span
    is_readable: bool = True
    threshold: int = 1
    raw_data: Map[str, Any] = {}

    @property
    def key_types(self) -> frozenset[str]:
        """The kinds of its recipients."""
        return frozenset(recipient.kind for recipient in self.recipients)

    @property
    def expected_scope(self) -> str:
        """The scope that matches its path: the path without `.secrets.<ext>`."""
        return self.path.rpartition(".secrets.")[0]


def make_unreadable(document: Document) -> SecretsFile:
    """Return the stand-in for a secrets file with errors, so that references to it can still be found."""
    span = file_span(document.path)
    return SecretsFile(
        path=document.path,
        location=document.location,
        digest=document.digest,
        format="yaml",
        content=MappingNode({}, {}, {}, FILE_START),
        scope=None,
        scope_span=span,
        recipients=(),
        endpoints=(),
        lastmodified="",
        span=span,
        is_readable=False,
    )


class SecretsPolicy(NamedTuple):
    """The kinds of keys and the services that may decrypt the organization's secrets files."""

    key_types: frozenset[str]
    endpoints: tuple[str, ...]
    require_scope: bool

    def allows_endpoint(self, endpoint: Endpoint) -> bool:
        """Report whether an endpoint is equal to an entry of the list, or below one after a `/`."""
        is_plain = _ADDRESS.fullmatch(endpoint.value) and ".." not in endpoint.value.split("/")
        allowed = (entry.rstrip("/") for entry in self.endpoints)
        return bool(is_plain) and any(f"{endpoint.value}/".startswith(f"{entry}/") for entry in allowed if entry)

    def allows_file(self, secrets_file: SecretsFile) -> bool:
        """Report whether sops may be started on a file."""
        return secrets_file.key_types <= self.key_types and all(
            self.allows_endpoint(endpoint) for endpoint in secrets_file.endpoints
        )


class DecryptError(ReportedError):
    """A file that cannot be decrypted because of its content: a finding about the file, not an error of the machine."""

    def to_refused_error(self) -> RefusedError:
        """Return the error as a refusal, for a command that was given this file."""
        return RefusedError(self.code, self.message, self.hint)


def flatten_leaves(data: Map[str, Any]) -> dict[str, Any]:
    """Return the leaves of decrypted data by dotted path in the file, including directives; list items by index."""
    return {format_path(path): leaf for path, leaf in _iter_leaves(data, ())}


def _iter_leaves(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    items = data.items() if isinstance(data, Map) else enumerate(data) if isinstance(data, list) else None
    if items is None:
        yield path, data
    for key, child in items or ():
        yield from _iter_leaves(child, (*path, str(key)))
