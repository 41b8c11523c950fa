"""The addresses of the control plane and the API key, from the environment variables that Kubiya itself uses."""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError

KEY_VARIABLE = "KUBIYA_API_KEY"
# The first variable that is set wins, as in Kubiya's own command line.
ADDRESS_VARIABLES = ("KUBIYA_CONTROL_PLANE_BASE_URL", "CONTROL_PLANE_GATEWAY_URL", "CONTROL_PLANE_URL")
DEFAULT_ADDRESS = "https://control-plane.kubiya.ai"
VAULT_VARIABLE = "KUBIYA_BASE_URL"
DEFAULT_VAULT_ADDRESS = "https://api.kubiya.ai/api/v1"


class ApiKey:
    """An API key. Only `auth_header` contains its text; `repr` masks it."""

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def auth_header(self) -> dict[str, str]:
        """The header that authorizes a request."""
        return {"Authorization": f"UserKey {self._text}"}

    def redact(self, text: str) -> str:
        """Return `text` with the key masked."""
        return text.replace(self._text, "…")

    def __repr__(self) -> str:
        return "Key(…)"


class ApiConfig(NamedTuple):
    """The base URLs of the control plane and of the vault, without `/api/v1`, and the key for both."""

    control_plane_url: str
    vault_url: str
    key: ApiKey


def load_api_config(environ: Mapping[str, str]) -> ApiConfig:
    """Read the configuration from the environment; raise MachineError (ET901) if a part is missing or unsafe."""
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key:
        raise MachineError(
            "ET901", f"the environment variable {KEY_VARIABLE} is not set", "set it to a key of the organization"
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MachineError("ET901", f"{KEY_VARIABLE} has a character that no key has", "set it to the key alone")
    variable = next((name for name in ADDRESS_VARIABLES if environ.get(name)), ADDRESS_VARIABLES[0])
    control_plane_url = _parse_address(variable, environ.get(variable) or DEFAULT_ADDRESS)
    vault_url = _parse_address(VAULT_VARIABLE, environ.get(VAULT_VARIABLE) or DEFAULT_VAULT_ADDRESS)
    return ApiConfig(control_plane_url, vault_url.removesuffix("/api/v1"), ApiKey(key))


def _parse_address(variable: str, address: str) -> str:
    """Return the address without a trailing slash; require HTTPS unless the host is this machine."""
    hint = "write it as https://HOST"
    try:
        url = urlsplit(address.strip())
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in ("http", "https") or not address.isprintable():
        raise MachineError("ET901", f"{variable} is not the address of a server", hint)
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise MachineError("ET901", f"{variable} has more in it than an address", hint)
    if url.scheme == "http" and not is_loopback(host):
        message = f"{variable} would send the key to '{printable(host)}' without encryption"
        raise MachineError("ET901", message, "write https:// instead of http://")
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Report whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
