"""Where the control plane is, and the key to it: both come from the environment, under the names that Kubiya uses."""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Failure

KEY = "KUBIYA_API_KEY"
# The first one that is set counts, as in Kubiya's own command line.
ADDRESSES = ("KUBIYA_CONTROL_PLANE_BASE_URL", "CONTROL_PLANE_GATEWAY_URL", "CONTROL_PLANE_URL")
DEFAULT = "https://control-plane.kubiya.ai"
VAULT = "KUBIYA_BASE_URL"
VAULT_DEFAULT = "https://api.kubiya.ai/api/v1"


class Key:
    """A key of the API. It is written into one header, and has no other text."""

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def header(self) -> dict[str, str]:
        """What authorizes a request."""
        return {"Authorization": f"UserKey {self._text}"}

    def without(self, text: str) -> str:
        """A text in which the key does not stand."""
        return text.replace(self._text, "…")

    def __repr__(self) -> str:
        return "Key(…)"


class Access(NamedTuple):
    """The addresses of the control plane and of the vault, without their version, and the key to both."""

    base: str
    vault: str
    key: Key


def access(environ: Mapping[str, str]) -> Access:
    """What the environment says, checked before anything is sent."""
    text = environ.get(KEY, "").strip()
    if not text:
        raise Failure("ET901", f"the environment variable {KEY} is not set", "set it to a key of the organization")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise Failure("ET901", f"{KEY} has a character that no key has", "set it to the key alone")
    name = next((name for name in ADDRESSES if environ.get(name)), ADDRESSES[0])
    base = _address(name, environ.get(name) or DEFAULT)
    vault = _address(VAULT, environ.get(VAULT) or VAULT_DEFAULT)
    return Access(base, vault.removesuffix("/api/v1"), Key(text))


def _address(name: str, text: str) -> str:
    """An address that a key may be sent to."""
    hint = "write it as https://HOST"
    try:
        url = urlsplit(text.strip())
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https") or not text.isprintable():
        raise Failure("ET901", f"{name} is not the address of a server", hint)
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise Failure("ET901", f"{name} has more in it than an address", hint)
    if url.scheme == "http" and not is_loopback(host):
        message = f"{name} would send the key to '{printable(host)}' without encryption"
        raise Failure("ET901", message, "write https:// instead of http://")
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
