"""Limits for the answers of a server: their time, size and compression, and the nesting of their JSON."""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

import orjson

DEADLINE_SECONDS = 120.0
MAX_ANSWER_MIB = 32
MAX_SESSION_MIB = 1024
MAX_NESTING = 64
MAX_PAGES = 1000
MIB = 1024 * 1024

_GZIP_FORMAT = zlib.MAX_WBITS | 16

T = TypeVar("T")


class AnswerError(Exception):
    """An answer that is refused. Its text is the end of a sentence that begins with `the answer to …`."""


def run_within(seconds: float, function: Callable[[], T]) -> T:
    """Return the result of a function; raise AnswerError if there is none in time.

    The timeouts of a socket begin anew with each byte, so only another thread can limit the whole. One that is too late
    ends with its connection, at the latest with the process.
    """
    future: Future[T] = Future()
    Thread(target=_fulfil, args=(future, function), daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            raise
        raise late_answer() from None


def _fulfil(future: Future[T], function: Callable[[], T]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 -- it is raised again by the thread that waits
        future.set_exception(error)


def late_answer() -> AnswerError:
    """Return the error of an answer that is not complete in time."""
    return AnswerError(f"is not complete after {DEADLINE_SECONDS:g} seconds")


def read_body(chunks: Iterable[bytes], encoding: str, deadline: float) -> bytes:
    """Return a decompressed body without ever holding more than the limit; `deadline` is of the monotonic clock."""
    body = bytearray()
    for part in _decompress(chunks, encoding):
        body += part
        if len(body) > MAX_ANSWER_MIB * MIB:
            raise AnswerError(f"is larger than {MAX_ANSWER_MIB} MiB")
        if time.monotonic() > deadline:
            raise late_answer()
    return bytes(body)


def _decompress(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Yield parts of limited size: a few bytes can expand to gigabytes."""
    if encoding in ("", "identity"):
        yield from chunks
        return
    if encoding != "gzip":
        raise AnswerError("has a compression that was not asked for")
    stream = zlib.decompressobj(_GZIP_FORMAT)
    is_empty = True
    try:
        for chunk in chunks:
            is_empty = False
            yield from _inflate(stream, chunk)
    except zlib.error:
        raise _broken_compression() from None
    if not (stream.eof or is_empty):
        raise _broken_compression()


def _inflate(stream: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    part = stream.decompress(chunk, MIB)
    yield part
    while stream.unconsumed_tail or len(part) == MIB:
        part = stream.decompress(stream.unconsumed_tail, MIB)
        yield part
    if stream.unused_data:
        raise _broken_compression()


def _broken_compression() -> AnswerError:
    return AnswerError("is compressed data that is broken")


def parse_json(body: bytes | str) -> Any:
    """Return the data of a JSON text; raise ValueError if it is none, and AnswerError if it is nested too deeply."""
    data = orjson.loads(body)
    level = [data]
    for _ in range(MAX_NESTING + 1):
        level = [child for value in level for child in _children(value)]
        if not level:
            return data
    raise AnswerError(f"is nested deeper than {MAX_NESTING} levels")


def _children(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
