"""The `.env` of a bundle, in the dialect that Docker Compose reads."""

import re
from collections.abc import Mapping, Sequence

_SPECIAL = re.compile('[\\\\"$\\n\\r\\0\ud800-\udfff]')
# Neither has a spelling in the dialect, or any bytes in UTF-8.
_REFUSED = re.compile("[\\0\ud800-\udfff]")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})


def compose(env_vars: Mapping[str, str], sensitive: Sequence[str], unknown: Sequence[str] = ()) -> bytes:
    """The variables as `.env`, and in leading comments the names that are left out, and why."""
    if _SPECIAL.search("".join(env_vars.values())):
        env_vars = {name: _escape(name, value) for name, value in env_vars.items()}
    lines = [f'{name}="{env_vars[name]}"\n' for name in sorted(env_vars)]
    left_out = (("sensitive", sensitive), ("unknown", unknown))
    comments = [f"# {why}, left out: {', '.join(sorted(names))}\n" for why, names in left_out if names]
    return "".join(comments + lines).encode()


def _escape(name: str, value: str) -> str:
    if _REFUSED.search(value):
        raise ValueError(f"'{name}' holds a character that .env cannot carry")
    return value.translate(_ESCAPES)
