"""Threads that start sops, several at a time."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def pooled(stop: Callable[[], None], workers: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """A pool for a block; if that does not come to its end, `stop` ends what is running, and nothing else begins."""
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        yield pool
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
