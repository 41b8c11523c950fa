"""Declaration of `envtree cache clear`."""

from envtree.cli.support.options import Command

command = Command(
    "clear",
    [],
    """Delete the cache of earlier runs.

    It is in $XDG_CACHE_HOME/envtree, else in ~/.cache/envtree, and contains the digests of files that were read, and
    the output. There are no secrets in it, and deleting it costs only time.
    """,
    "envtree cache clear",
    group="cache",
)
