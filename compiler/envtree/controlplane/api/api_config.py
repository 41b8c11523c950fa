"""Where the control plane is, and the key to it: both come from the environment, under the names that Kubiya uses."""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError

KEY_VARIABLE = "KUBIYA_API_KEY"
# The first one that is set counts, as in Kubiya's own command line.
ADDRESS_VARIABLES = ("KUBIYA_CONTROL_PLANE_BASE_URL", "CONTROL_PLANE_GATEWAY_URL", "CONTROL_PLANE_URL")
DEFAULT_ADDRESS = "https://control-plane.kubiya.ai"
VAULT_VARIABLE = "KUBIYA_BASE_URL"
DEFAULT_VAULT_ADDRESS = "https://api.kubiya.ai/api/v1"


class ApiKey:
    """A key of the API. It is written into one header, and has no other text."""

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def auth_header(self) -> dict[str, str]:
        """What authorizes a request."""
        return {"Authorization": f"UserKey {self._text}"}

    def redact(self, text: str) -> str:
        """A text in which the key does not stand."""
        return text.replace(self._text, "…")

    def __repr__(self) -> str:
        return "Key(…)"


class ApiConfig(NamedTuple):
    """The addresses of the control plane and of the vault, without their version, and the key to both."""

    control_plane_url: str
    vault_url: str
    key: ApiKey


def load_api_config(environ: Mapping[str, str]) -> ApiConfig:
    """What the environment says, checked before anything is sent."""
    text = environ.get(KEY_VARIABLE, "").strip()
    if not text:
        raise MachineError(
            "ET901", f"the environment variable {KEY_VARIABLE} is not set", "set it to a key of the organization"
        )
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise MachineError("ET901", f"{KEY_VARIABLE} has a character that no key has", "set it to the key alone")
    name = next((name for name in ADDRESS_VARIABLES if environ.get(name)), ADDRESS_VARIABLES[0])
    base = _parse_address(name, environ.get(name) or DEFAULT_ADDRESS)
    vault = _parse_address(VAULT_VARIABLE, environ.get(VAULT_VARIABLE) or DEFAULT_VAULT_ADDRESS)
    return ApiConfig(base, vault.removesuffix("/api/v1"), ApiKey(text))


def _parse_address(name: str, text: str) -> str:
    """An address that a key may be sent to."""
    hint = "write it as https://HOST"
    try:
        url = urlsplit(text.strip())
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https") or not text.isprintable():
        raise MachineError("ET901", f"{name} is not the address of a server", hint)
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise MachineError("ET901", f"{name} has more in it than an address", hint)
    if url.scheme == "http" and not is_loopback(host):
        message = f"{name} would send the key to '{printable(host)}' without encryption"
        raise MachineError("ET901", message, "write https:// instead of http://")
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
