"""Plain text that looks like a credential: by the form of a token, by a URL's user part, by the name of its key.

No finding shows the text. What is long and random, but neither, is only a remark. Hashes, and the public
keys of age, have small letters only.
"""

import re
from collections import Counter
from collections.abc import Iterator
from math import log2

import re2

from envtree.diagnostic import Diagnostic
from envtree.keypath import KeyPath, format_path
from envtree.node import Document, Scalar
from envtree.validate.sections import below_section, walk
from envtree.validate.wording import name

_FORMS = {
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50,})",
    "a GitLab token": r"\bgl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Slack webhook": r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "an Anthropic key": r"\bsk-ant-[A-Za-z0-9_-]{20,}",
    "an OpenAI key": r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}",
    "a Stripe key": r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
    "a SendGrid key": r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a PyPI token": r"\bpypi-AgE[A-Za-z0-9_-]{40,}",
    "a Hugging Face token": r"\bhf_[A-Za-z]{30,}\b",
    "an age secret key": r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    "a private key": r"-----BEGIN (?:[A-Z ]+ )?PRIVATE KEY",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "an Azure account key": r"AccountKey=[A-Za-z0-9+/]{40,}",
    "a URL with a password": r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#:@]*:[^\s/?#@$<{*]+@",
}
_NAME = r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)"
# In JSON: one look at a whole file, with an engine that takes time by its length only.
_SIGNS = re2.compile("|".join([*_FORMS.values(), rf'(?i)"[A-Z0-9_]*{_NAME}":"[^"]']).encode())
_WORDS = re2.compile(rb'"([A-Za-z0-9+/_=-]{24,})"')
_ANY_FORM = re2.compile("|".join(_FORMS.values()))
_COMPILED = {what: re2.compile(form) for what, form in _FORMS.items()}
_BY_NAME = re.compile(rf"[A-Z0-9_]*{_NAME}", re.IGNORECASE)
# What stands for a value, and is none: a reference, a placeholder, a path, a switch.
_NO_VALUE = re.compile(
    r"\$|\{\{|<|\*|\.{0,2}/|\w+://|(?:true|false|none|null|changeme|unset|test|example|dummy|fake|placeholder|redacted|todo|x+|\d+)\Z",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_ENOUGH_BITS = 4.3

_HINT = "if it is one, change it, for it is in git now, and keep it in a secrets file"


def is_suspect(text: bytes) -> bool:
    """Whether the JSON of a file may hold a credential at all."""
    return _SIGNS.search(text) is not None or any(_is_random(word.decode()) for word in _WORDS.findall(text))


def check_credentials(document: Document) -> Iterator[Diagnostic]:
    """Report what looks like a credential."""
    for path, node in walk(document.root):
        if isinstance(node, Scalar) and isinstance(node.value, str) and path:
            found = _told(node.value, path)
            if found:
                code, words = found
                key = format_path(below_section(path))
                yield Diagnostic(document.span(node), code, f"{name(path)} {words}", _HINT, key=key)


def _told(text: str, path: KeyPath) -> tuple[str, str] | None:
    if _ANY_FORM.search(text):
        form = next(what for what, form in _COMPILED.items() if form.search(text))
        return "ET251", f"looks like {form}, in plain text"
    if "env_vars" in path and _BY_NAME.fullmatch(path[-1]) and text and not _NO_VALUE.match(text):
        return "ET251", "is named like a credential, and is plain text"
    return ("ET252", "is as random as a key, in plain text") if _is_random(text) else None


def _is_random(text: str) -> bool:
    """Whether a text is one long word of large and small letters and digits as only a generator writes them."""
    if text.lower() == text or text.upper() == text or not _RANDOM.fullmatch(text) or not re.search(r"\d", text):
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * log2(n / len(text)) for n in counts) > _ENOUGH_BITS
