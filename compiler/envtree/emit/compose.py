"""The `.env` of a bundle, in the dialect that Docker Compose reads."""

import re
from collections.abc import Mapping, Sequence

_SPECIAL = re.compile('[\\\\"$\\n\\r\\0\ud800-\udfff]')
# Neither has a spelling in the dialect, or any bytes in UTF-8.
_REFUSED = re.compile("[\\0\ud800-\udfff]")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$", "\n": "\\n", "\r": "\\r"})


def compose(env_vars: Mapping[str, str], left_out: Sequence[str]) -> bytes:
    """The variables as `.env`, and in a leading comment the names of the sensitive ones that are left out."""
    if _SPECIAL.search("".join(env_vars.values())):
        env_vars = {name: _escape(name, value) for name, value in env_vars.items()}
    lines = [f'{name}="{env_vars[name]}"\n' for name in sorted(env_vars)]
    comment = f"# sensitive, left out: {', '.join(sorted(left_out))}\n" if left_out else ""
    return (comment + "".join(lines)).encode()


def _escape(name: str, value: str) -> str:
    if _REFUSED.search(value):
        raise ValueError(f"'{name}' holds a character that .env cannot carry")
    return value.translate(_ESCAPES)
