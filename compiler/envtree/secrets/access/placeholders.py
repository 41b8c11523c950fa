"""Values that were never filled in."""

import re
from typing import Any

_PLACEHOLDER_WORD_LIST = (
    "changeme change-me change_me changeit todo tbd tba fixme placeholder dummy sample example test testing replaceme "
    "replace-me replace_me secret password passwd passphrase pass pwd token key apikey api-key api_key credentials "
    "default none null nil undefined unset empty missing unknown foo bar baz foobar na n/a ? - _ password1 password123 "
    "secret123 abc abc123 123 1234 12345 123456 12345678 123456789 qwerty letmein"
)
_PLACEHOLDER_WORDS = frozenset(_PLACEHOLDER_WORD_LIST.split())
_PLACEHOLDER_PATTERN = re.compile(
    r"""
    (.)\1{2,}                                   # xxx, ***, ...
    | <[^<>]*> | \{\{[^{}]*\}\} | \$\{?\w+\}?   # <token>, {{ token }}, $TOKEN
    | (?:your|insert|enter|replace|paste)[-_ ].*
    | (?:todo|fixme|tbd|xxx)\b.*
    """,
    re.VERBOSE | re.DOTALL,
)


def is_placeholder(value: Any) -> bool:
    """Whether a value stands for one that is still to come; numbers and switches never do."""
    if not isinstance(value, str):
        return False
    text = value.strip().casefold()
    return not text or text in _PLACEHOLDER_WORDS or _PLACEHOLDER_PATTERN.fullmatch(text) is not None
