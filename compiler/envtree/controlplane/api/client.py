"""Requests to the control plane. Only an idempotent request, or one that cannot have arrived, is retried."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from envtree import __version__
from envtree.controlplane.api.api_config import ApiConfig, ApiKey, is_loopback
from envtree.controlplane.api.error_message import extract_error_message
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError

try:
    import httpx
except ImportError:
    # This module is imported only by commands that need the control plane.
    _MESSAGE = "requests to the control plane need a library that is not installed"
    raise MachineError("ET901", _MESSAGE, "run: pip install 'envtree[kubiya]'") from None

MAX_ATTEMPTS = 5
MAX_WAIT = 60.0
# Sending one of these twice has the effect of sending it once.
_IDEMPOTENT_METHODS = ("GET", "PUT", "PATCH", "DELETE")
_UNAVAILABLE_STATUSES = frozenset({502, 503, 504})
_TOO_MANY_REQUESTS = 429
PAGE_SIZE = 100


class ApiError(Exception):
    """The server answered a request with an error status."""

    def __init__(self, status: int, request: str, reason: str) -> None:
        super().__init__(status)
        self.status = status
        self.request = request
        self.reason = reason

    def to_machine_error(self) -> MachineError:
        """Return the error as a diagnostic for the user."""
        suffix = f": {self.reason}" if self.reason else ""
        hint = "look at KUBIYA_API_KEY" if self.status in (401, 403) else ""
        return MachineError("ET903", f"the control plane answers {self.status} to '{self.request}'{suffix}", hint)


class ApiResponse(NamedTuple):
    """The decoded body of a response, and the server's clock when it was sent."""

    data: Any
    date: datetime | None


class Client:
    """An HTTP client that authenticates with an API key. It follows no redirects, so the key reaches no other host."""

    def __init__(
        self,
        base: str,
        key: ApiKey,
        *,
        extract_message: Callable[[bytes], str] = extract_error_message,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # Proxies from the environment apply to remote hosts only.
        is_remote = not is_loopback(urlsplit(base).hostname or "")
        headers = {**key.auth_header, "User-Agent": f"envtree/{__version__}", "Accept": "application/json"}
        self._http = httpx.Client(headers=headers, timeout=60, follow_redirects=False, trust_env=is_remote)
        self._base, self._key, self._extract_message, self._sleep = base, key, extract_message, sleep
        # Called before each request whose method is not GET.
        self.before_mutation: Callable[[], None] = lambda: None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """Return the decoded body of a GET request."""
        return self.send("GET", path)

    def iter_pages(self, path: str, size: int = PAGE_SIZE) -> Iterator[Any]:
        """Yield the items of a paged list; a page shorter than `size` is the last one."""
        skip = 0
        while True:
            page = self.get(f"{path}?skip={skip}&limit={size}")
            yield from page
            if len(page) < size:
                return
            skip += size

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request and return the decoded body of its response; raise ApiError for an error status."""
        return self.request(method, path, body).data

    def request(self, method: str, path: str, body: Any = None) -> ApiResponse:
        """Make a request and return its response with the server's clock."""
        if method != "GET":
            self.before_mutation()
        for attempt in range(1, MAX_ATTEMPTS + 1):
            wait = min(2.0 ** (attempt - 2), MAX_WAIT)
            is_last = attempt == MAX_ATTEMPTS
            try:
                response = self._http.request(method, self._base + path, json=body)
            except httpx.TransportError as error:
                if is_last or not _is_retryable(method, error):
                    raise self._connection_error(method, error) from None
            else:
                if is_last or not (response.status_code == _TOO_MANY_REQUESTS or _is_unavailable(method, response)):
                    return self._check_response(f"{method} {path.partition('?')[0]}", response)
                wait = _retry_delay(response, wait)
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _check_response(self, request: str, response: httpx.Response) -> ApiResponse:
        status = response.status_code
        if 300 <= status < 400:
            host = urlsplit(response.headers.get("Location", "")).hostname or "another place"
            message = f"the control plane sends '{request}' on to '{printable(host)}'"
            raise MachineError("ET902", message, "set KUBIYA_CONTROL_PLANE_BASE_URL to where it is")
        if status >= 400:
            raise ApiError(status, request, self._key.redact(self._extract_message(response.content)))
        if not response.content:
            return ApiResponse(None, _response_date(response))
        try:
            return ApiResponse(response.json(), _response_date(response))
        except ValueError:
            message = f"what answers '{request}' is no control plane: its answer is not JSON"
            raise MachineError("ET902", message, "look at KUBIYA_CONTROL_PLANE_BASE_URL") from None

    def _connection_error(self, method: str, error: httpx.TransportError) -> MachineError:
        host = printable(urlsplit(self._base).netloc)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return MachineError("ET902", f"the control plane at '{host}' cannot be reached", "look at its address")
        hint = "run the command again: it looks at what is there first" if method != "GET" else "try again"
        return MachineError("ET902", f"the connection to the control plane at '{host}' broke", hint)


def _is_retryable(method: str, error: httpx.TransportError) -> bool:
    """Report whether a failed request may be sent again: it cannot have arrived, or its method is idempotent."""
    return method in _IDEMPOTENT_METHODS or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _is_unavailable(method: str, response: httpx.Response) -> bool:
    """Report whether a gateway in front of the server failed to reach it, for a request that may be repeated."""
    return response.status_code in _UNAVAILABLE_STATUSES and method in _IDEMPOTENT_METHODS


def _retry_delay(response: httpx.Response, default: float) -> float:
    """Return the seconds to wait: `Retry-After` gives seconds or a date, and MAX_WAIT limits both."""
    retry_after = response.headers.get("Retry-After", "").strip()
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), MAX_WAIT)
    try:
        remaining = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return default
    return min(max(remaining, 0.0), MAX_WAIT)


def _response_date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None


def control_plane_client(config: ApiConfig) -> Client:
    """Return a client of the control plane."""
    return Client(f"{config.control_plane_url}/api/v1", config.key)


def vault_client(config: ApiConfig) -> Client:
    """Return a client of the vault. Its error messages may repeat the values that were sent, so they are dropped."""
    return Client(config.vault_url, config.key, extract_message=lambda _: "")
