"""Secrets files as they are read without a key, and what an organization allows of them."""

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any, Literal, NamedTuple

from envtree.model.diagnostic import RefusedError, ReportedError
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, EncryptedValue, MappingNode
from envtree.model.source import Location
from envtree.model.span import FILE_START, Span, file_span

# The root key of a secrets file that says, encrypted, where the file belongs.
SCOPE_KEY = "_scope"

# The kinds of master keys that stand for a person, not for a service.
PERSONAL_KEY_KINDS = frozenset({"age", "age-plugin", "age-ssh", "pgp"})

# sops leaves in plain text what is below a key that ends in it, unless the file says otherwise.
UNENCRYPTED_SUFFIX = "_unencrypted"

# The settings by which sops may leave something in plain text: of a rule, and in the metadata of a file.
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

# Nothing that a URL parser could read as another host or another path.
_ADDRESS = re.compile(r"[A-Za-z0-9._~:/\[\]-]+")


class CiphertextInfo(NamedTuple):
    """What an encrypted text shows of its plaintext: SOPS's type, and how many bytes it has."""

    type: str
    length: int


def age_recipient_kind(recipient: str) -> str:
    """Only the native form opens with a key alone; the others start a program or read ~/.ssh."""
    if _AGE_RECIPIENT.fullmatch(recipient):
        return "age"
    return "age-ssh" if recipient.startswith("ssh-") else "age-plugin"


def printable_key(kind: str, value: str) -> str:
    """A key as it may be told to people: what has no form of a public key or of an address could be anything."""
    form = _PUBLIC_KEY if kind in PERSONAL_KEY_KINDS else _ADDRESS
    return value if form.fullmatch(value) else f"a key of type {kind}"


def parse_ciphertext(text: str) -> CiphertextInfo | None:
    """Read an `ENC[…]` text; None for anything else, an empty or malformed one included."""
    match = _CIPHERTEXT.fullmatch(text)
    if match is None or not match["data"]:
        return None
    data = match["data"]
    # GCM pads nothing, so the ciphertext is as long as the plaintext.
    return CiphertextInfo(match["type"], len(data) // 4 * 3 - data.count("="))


class Recipient(NamedTuple):
    """One key that opens a file.

    `kind` is SOPS's own name (`age`, `pgp`, `kms`, `gcp_kms`, `azure_kv`, `hc_vault`, `hckms`), but age recipients
    that run a plugin or that are SSH keys are kinds of their own: `age-plugin`, `age-ssh`. `wrapped` is the file's data
    key as it is encrypted for this one, or a part of it if the file has key groups; `group` counts them from 0.
    """

    kind: str
    value: str
    wrapped_data_key: str
    span: Span
    group: int = 0


class Endpoint(NamedTuple):
    """A service that sops would call to open a file: an address, a resource id or an ARN, roles included."""

    kind: str
    value: str
    span: Span


class SecretsFile(NamedTuple):
    """A SOPS file whose structure passed every check that needs neither a key nor a policy.

    `content` has a `Cipher` at every leaf, but neither `sops` nor `_scope`; the `value` of its nodes is empty.
    `span` is the place of the `sops` map. One that is not readable stands for a file that failed a check: of it only
    the path means something. A key of each of `threshold` groups is needed to open the file.
    `written` is all of the file as it stands there, ciphertexts and the `sops` map included, in its order.
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
        """The scope that belongs to its place: the path without `.secrets.<ext>`."""
        return self.path.rpartition(".secrets.")[0]


def make_unreadable(document: Document) -> SecretsFile:
    """The stand-in for a secrets file that is wrong in itself, so that it is known what needs it."""
    place = file_span(document.path)
    nothing = MappingNode({}, {}, {}, FILE_START)
    where = (document.path, document.location, document.digest)
    return SecretsFile(*where, "yaml", nothing, None, place, (), (), "", place, is_readable=False)


class SecretsPolicy(NamedTuple):
    """Which keys and services may open the organization's secrets files."""

    key_types: frozenset[str]
    endpoints: tuple[str, ...]
    require_scope: bool

    def allows_endpoint(self, endpoint: Endpoint) -> bool:
        """Whether an endpoint is on the list: as it stands there, or below it behind a `/`."""
        plain = _ADDRESS.fullmatch(endpoint.value) and ".." not in endpoint.value.split("/")
        allowed = (entry.rstrip("/") for entry in self.endpoints)
        return bool(plain) and any(f"{endpoint.value}/".startswith(f"{entry}/") for entry in allowed if entry)

    def allows_file(self, sealed: SecretsFile) -> bool:
        """Whether sops may be started on a file."""
        return sealed.key_types <= self.key_types and all(
            self.allows_endpoint(endpoint) for endpoint in sealed.endpoints
        )


class DecryptError(ReportedError):
    """A file that cannot be decrypted for what is in it: a finding about the file, not a failure."""

    def to_refused_error(self) -> RefusedError:
        """The same to whoever asked for this file."""
        return RefusedError(self.code, self.message, self.hint)


def flatten_leaves(data: Map[str, Any]) -> dict[str, Any]:
    """The leaves of decrypted data by their dotted paths in the file, directives included, list items by index."""
    return {format_path(path): leaf for path, leaf in _iter_leaves(data, ())}


def _iter_leaves(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    items = data.items() if isinstance(data, Map) else enumerate(data) if isinstance(data, list) else None
    if items is None:
        yield path, data
    for key, child in items or ():
        yield from _iter_leaves(child, (*path, str(key)))
