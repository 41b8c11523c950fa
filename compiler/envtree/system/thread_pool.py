"""A thread pool, for running several sops processes at a time."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


@contextmanager
def thread_pool(stop: Callable[[], None], workers: int | None = None) -> "Iterator[ThreadPoolExecutor]":
    """Provide a pool for a block; if the block raises, `stop` ends the running tasks, and queued ones are cancelled."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- most runs start no sops, and it takes 3 ms

    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        yield pool
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
