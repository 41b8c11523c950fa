"""Requests to the control plane. What cannot be sent twice is not: a request that may have arrived is not repeated."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from envtree import __version__
from envtree.controlplane.api.access import Access, Key, is_loopback
from envtree.controlplane.api.error_message import told
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import Failure

try:
    import httpx
except ImportError:
    # Whoever needs this module has asked for the control plane.
    _MESSAGE = "requests to the control plane need a library that is not installed"
    raise Failure("ET901", _MESSAGE, "run: pip install 'envtree[kubiya]'") from None

TRIES = 5
LONGEST_WAIT = 60.0
# Sent again, these come to the same.
_REPEATABLE = ("GET", "PUT", "PATCH", "DELETE")
_BUSY = frozenset({502, 503, 504})
_LIMITED = 429
PAGE = 100


class RefusedError(Exception):
    """The server answered, and not with what was asked for."""

    def __init__(self, status: int, request: str, reason: str) -> None:
        super().__init__(status)
        self.status = status
        self.request = request
        self.reason = reason

    def failure(self) -> Failure:
        """The same for a person."""
        why = f": {self.reason}" if self.reason else ""
        hint = "look at KUBIYA_API_KEY" if self.status in (401, 403) else ""
        return Failure("ET903", f"the control plane answers {self.status} to '{self.request}'{why}", hint)


class Answer(NamedTuple):
    """A body, and the server's clock when it was sent."""

    data: Any
    date: datetime | None


class Client:
    """A server that knows us by a key. It follows no redirect, so the key goes nowhere else."""

    def __init__(
        self, base: str, key: Key, *, told: Callable[[bytes], str] = told, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        # A proxy is for the world outside.
        outside = not is_loopback(urlsplit(base).hostname or "")
        headers = {**key.header, "User-Agent": f"envtree/{__version__}", "Accept": "application/json"}
        self._http = httpx.Client(headers=headers, timeout=60, follow_redirects=False, trust_env=outside)
        self._base, self._key, self._told, self._sleep = base, key, told, sleep
        # Called before each request that changes something.
        self.before: Callable[[], None] = _nothing

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """Read something."""
        return self.send("GET", path)

    def pages(self, path: str, size: int = PAGE) -> Iterator[Any]:
        """Read a list whose end only a short page shows."""
        skip = 0
        while True:
            page = self.get(f"{path}?skip={skip}&limit={size}")
            yield from page
            if len(page) < size:
                return
            skip += size

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Make a request; what it answers, or a RefusedError."""
        return self.answer(method, path, body).data

    def answer(self, method: str, path: str, body: Any = None) -> Answer:
        """The same, with the server's clock."""
        if method != "GET":
            self.before()
        for tried in range(1, TRIES + 1):
            wait = min(2.0 ** (tried - 2), LONGEST_WAIT)
            last = tried == TRIES
            try:
                response = self._http.request(method, self._base + path, json=body)
            except httpx.TransportError as error:
                if last or not _again(method, error):
                    raise self._lost(method, error) from None
            else:
                if last or not (response.status_code == _LIMITED or _is_busy(method, response)):
                    return self._judged(f"{method} {path.partition('?')[0]}", response)
                wait = _asked(response, wait)
            self._sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _judged(self, request: str, response: httpx.Response) -> Answer:
        status = response.status_code
        if 300 <= status < 400:
            host = urlsplit(response.headers.get("Location", "")).hostname or "another place"
            message = f"the control plane sends '{request}' on to '{printable(host)}'"
            raise Failure("ET902", message, "set KUBIYA_CONTROL_PLANE_BASE_URL to where it is")
        if status >= 400:
            raise RefusedError(status, request, self._key.without(self._told(response.content)))
        if not response.content:
            return Answer(None, _date(response))
        try:
            return Answer(response.json(), _date(response))
        except ValueError:
            message = f"what answers '{request}' is no control plane: its answer is not JSON"
            raise Failure("ET902", message, "look at KUBIYA_CONTROL_PLANE_BASE_URL") from None

    def _lost(self, method: str, error: httpx.TransportError) -> Failure:
        host = printable(urlsplit(self._base).netloc)
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Failure("ET902", f"the control plane at '{host}' cannot be reached", "look at its address")
        hint = "run the command again: it looks at what is there first" if method != "GET" else "try again"
        return Failure("ET902", f"the connection to the control plane at '{host}' broke", hint)


def _nothing() -> None:
    pass


def _again(method: str, error: httpx.TransportError) -> bool:
    """Whether a request may be sent again: it has not arrived, or it does no more the second time."""
    return method in _REPEATABLE or isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)


def _is_busy(method: str, response: httpx.Response) -> bool:
    """Whether the answer comes from something in front of the server that could not reach it."""
    return response.status_code in _BUSY and method in _REPEATABLE


def _asked(response: httpx.Response, otherwise: float) -> float:
    """How long the server wants us to wait: seconds, or until when."""
    said = response.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said), LONGEST_WAIT)
    try:
        left = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return otherwise
    return min(max(left, 0.0), LONGEST_WAIT)


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None


def connected(access: Access) -> Client:
    """The control plane."""
    return Client(f"{access.base}/api/v1", access.key)


def vault(access: Access) -> Client:
    """The vault. What it says is wrong may repeat what it was sent, so nobody hears it."""
    return Client(access.vault, access.key, told=lambda _: "")
