"""Threads that start sops, several at a time."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


@contextmanager
def thread_pool(stop: Callable[[], None], workers: int | None = None) -> "Iterator[ThreadPoolExecutor]":
    """A pool for a block; if that does not come to its end, `stop` ends what is running, and nothing else begins."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- most runs start no sops, and it takes 3 ms

    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        yield pool
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
