"""Requests to the control plane. Only an idempotent request, or one that cannot have arrived, is retried."""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from envtree import __version__
from envtree.controlplane.api import answer_limits
from envtree.controlplane.api.answer_limits import AnswerError
from envtree.controlplane.api.api_config import ADDRESS_VARIABLES, VAULT_VARIABLE, ApiConfig, ApiKey, is_loopback
from envtree.controlplane.api.error_message import extract_error_message
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import MachineError
from envtree.system.installation import extra_hint

try:
    import httpx
except ImportError:
    # This module is imported only by commands that need the control plane.
    _MESSAGE = "requests to the control plane need a library that is not installed"
    raise MachineError("ET901", _MESSAGE, extra_hint("kubiya")) from None

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


class _RawResponse(NamedTuple):
    """A response that was read to its end, with a body within the limits."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """An HTTP client that authenticates with an API key. It follows no redirects, so the key reaches no other host."""

    def __init__(
        self,
        base: str,
        key: ApiKey,
        *,
        address_variable: str = ADDRESS_VARIABLES[0],
        extract_message: Callable[[str], str] = extract_error_message,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        # Proxies from the environment apply to remote hosts only.
        is_remote = not is_loopback(urlsplit(base).hostname or "")
        headers = {
            **key.auth_header,
            "User-Agent": f"envtree/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
        self._http = httpx.Client(headers=headers, timeout=60, follow_redirects=False, trust_env=is_remote)
        self._base, self._key, self._extract_message, self._sleep = base, key, extract_message, sleep
        self._address_variable, self._received = address_variable, 0
        # Called before each request whose method is not GET.
        self.before_mutation: Callable[[], None] = lambda: None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """Return the decoded body of a GET request."""
        return self.send("GET", path)

    def get_list(self, path: str) -> list[Any]:
        """Return the list that a GET request returns; raise MachineError (ET902) for anything else."""
        data = self.get(path)
        if not isinstance(data, list):
            raise self._refuse(_label("GET", path), "is no list")
        return data

    def iter_pages(self, path: str, size: int = PAGE_SIZE) -> Iterator[Any]:
        """Yield the items of a paged list; a page shorter than `size` is the last one."""
        for number in self.page_numbers(path):
            page = self.get_list(f"{path}?skip={number * size}&limit={size}")
            yield from page
            if len(page) < size:
                return

    def page_numbers(self, path: str) -> Iterator[int]:
        """Yield the numbers of the pages of a list, from 0 on; raise MachineError (ET902) if it has too many."""
        yield from range(answer_limits.MAX_PAGES)
        raise self._refuse(_label("GET", path), f"has more than {answer_limits.MAX_PAGES} pages")

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
                response = answer_limits.run_within(
                    answer_limits.DEADLINE_SECONDS, partial(self._exchange, method, path, body)
                )
            except httpx.TransportError as error:
                if is_last or not _is_retryable(method, error):
                    raise self._connection_error(method, error) from None
            except AnswerError as error:
                raise self._refuse(_label(method, path), str(error)) from None
            else:
                if is_last or not (response.status == _TOO_MANY_REQUESTS or _is_unavailable(method, response)):
                    return self._check_response(_label(method, path), response)
                wait = _retry_delay(response, wait)
            self._sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _exchange(self, method: str, path: str, body: Any) -> _RawResponse:
        """Send a request and read its response, within the limits of one and of all responses."""
        deadline = time.monotonic() + answer_limits.DEADLINE_SECONDS
        with self._http.stream(method, self._base + path, json=body) as response:
            encoding = response.headers.get("Content-Encoding", "").strip().lower()
            content = answer_limits.read_body(response.iter_raw(), encoding, deadline)
        self._received += len(content)
        if self._received > answer_limits.MAX_SESSION_MIB * answer_limits.MIB:
            raise AnswerError(f"is more than the {answer_limits.MAX_SESSION_MIB} MiB that one command reads")
        return _RawResponse(response.status_code, response.headers, content)

    def _check_response(self, request: str, response: _RawResponse) -> ApiResponse:
        if 300 <= response.status < 400:
            host = _host_of(response.headers.get("Location", "")) or "another place"
            message = f"the control plane sends '{request}' on to '{printable(host)}'"
            raise MachineError("ET902", message, f"set {self._address_variable} to where it is")
        if response.status >= 400:
            # The key is masked first, because a message is cut, and again, because JSON may have escaped the key.
            body = self._key.redact(response.body.decode("utf-8", "replace"))
            raise ApiError(response.status, request, self._key.redact(self._extract_message(body)))
        if not response.body:
            return ApiResponse(None, _response_date(response))
        try:
            return ApiResponse(answer_limits.parse_json(response.body), _response_date(response))
        except AnswerError as error:
            raise self._refuse(request, str(error)) from None
        except ValueError:
            message = f"what answers '{request}' is no control plane: its answer is not JSON"
            raise MachineError("ET902", message, f"look at {self._address_variable}") from None

    def _refuse(self, request: str, problem: str) -> MachineError:
        return MachineError("ET902", f"the answer to '{request}' {problem}", f"look at {self._address_variable}")

    def _connection_error(self, method: str, error: httpx.TransportError) -> MachineError:
        host = printable(urlsplit(self._base).netloc)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return MachineError("ET902", f"the control plane at '{host}' cannot be reached", "look at its address")
        hint = "run the command again: it looks at what is there first" if method != "GET" else "try again"
        return MachineError("ET902", f"the connection to the control plane at '{host}' broke", hint)


def _label(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_retryable(method: str, error: httpx.TransportError) -> bool:
    """Report whether a failed request may be sent again: it cannot have arrived, or its method is idempotent."""
    return method in _IDEMPOTENT_METHODS or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _is_unavailable(method: str, response: _RawResponse) -> bool:
    """Report whether a gateway in front of the server failed to reach it, for a request that may be repeated."""
    return response.status in _UNAVAILABLE_STATUSES and method in _IDEMPOTENT_METHODS


def _retry_delay(response: _RawResponse, default: float) -> float:
    """Return the seconds to wait: `Retry-After` gives seconds or a date, and MAX_WAIT limits both."""
    retry_after = response.headers.get("Retry-After", "").strip()
    if retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), MAX_WAIT)
    try:
        remaining = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return default
    return min(max(remaining, 0.0), MAX_WAIT)


def _response_date(response: _RawResponse) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError, OverflowError):
        return None


def control_plane_client(config: ApiConfig) -> Client:
    """Return a client of the control plane."""
    return Client(f"{config.control_plane_url}/api/v1", config.key)


def vault_client(config: ApiConfig) -> Client:
    """Return a client of the vault. Its error messages may repeat the values that were sent, so they are dropped."""
    return Client(config.vault_url, config.key, address_variable=VAULT_VARIABLE, extract_message=lambda _: "")
