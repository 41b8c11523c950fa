"""`envtree cache clear`, declared."""

from envtree.cli.support.options import Command

command = Command(
    "clear",
    [],
    """Forget all earlier runs.

    What is known of them lies in $XDG_CACHE_HOME/envtree, else in ~/.cache/envtree: which files were read, by their
    digests, and what was said. There is no secret in it, and nothing is lost with it but time.
    """,
    "envtree cache clear",
    group="cache",
)
