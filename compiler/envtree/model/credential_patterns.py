"""What a credential looks like: the form of a token, a URL with a password, a telling name, or mere randomness."""

import re
from collections import Counter
from math import log2

import re2

_TOKEN_PATTERNS = {
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
_NAME_PATTERN = r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS?)"
_COMPILED_TOKEN_PATTERNS = {what: re2.compile(form) for what, form in _TOKEN_PATTERNS.items()}
_ANY_TOKEN = re2.compile("|".join(_TOKEN_PATTERNS.values()))
# In JSON: one look at a whole file, with an engine that takes time by its length only.
_CREDENTIAL_SCAN = re2.compile(
    "|".join([*_TOKEN_PATTERNS.values(), rf'(?i)"[A-Z0-9_]*{_NAME_PATTERN}":"[^"]']).encode()
)
# What follows a quote is looked at once, so this takes time by the length only as well.
_LONG_WORDS = re.compile(rb'"([A-Za-z0-9+/_=-]{24,}+)"')
_CREDENTIAL_NAME = re.compile(rf"[A-Z0-9_]*{_NAME_PATTERN}", re.IGNORECASE)
# In a line of YAML: a telling key, and what is written behind it.
_CREDENTIAL_ASSIGNMENT = re.compile(rf"{_NAME_PATTERN}[\"']?\s*:\s*[\"']?([^\s\"'].*)", re.IGNORECASE)
# What `secrets` maps a name to: `db.password`.
_SECRET_PATH = re.compile(r"[a-z_]+(?:\.[a-z_]+)+\s*(?:[,}#]|$)")
# What stands for a value, and is none: a reference, a placeholder, a path, a switch.
_NON_VALUE = re.compile(
    r"\$|\{\{|<|\*|\.{0,2}/|\w+://|(?:true|false|none|null|changeme|unset|test|example|dummy|fake|placeholder|redacted|todo|x+|\d+)\Z",
    re.IGNORECASE,
)
_RANDOM_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_MIN_ENTROPY = 4.3


def may_contain_credential(text: bytes) -> bool:
    """Whether the JSON of a file may hold a credential at all."""
    return _CREDENTIAL_SCAN.search(text) is not None or any(
        has_high_entropy(word.decode()) for word in _LONG_WORDS.findall(text)
    )


def is_credential_line(line: str) -> bool:
    """Whether a line of a file may show a credential, so that it had better not be printed."""
    # Half a surrogate pair, as a broken file may give, is nothing that the engine can read.
    line = line.encode("utf-8", "replace").decode()
    assigned = _CREDENTIAL_ASSIGNMENT.search(line)
    if _ANY_TOKEN.search(line):
        return True
    if assigned and not _NON_VALUE.match(assigned[1]) and not _SECRET_PATH.match(assigned[1]):
        return True
    return any(map(has_high_entropy, _RANDOM_WORD.findall(line)))


def detect_credential_form(text: str) -> str:
    """Which credential a text has the form of; empty for none."""
    if not _ANY_TOKEN.search(text):
        return ""
    return next(what for what, form in _COMPILED_TOKEN_PATTERNS.items() if form.search(text))


def is_credential_variable(name: str, text: str) -> bool:
    """Whether a variable of this name would hold a credential, and does."""
    return bool(text and _CREDENTIAL_NAME.fullmatch(name) and not _NON_VALUE.match(text))


def is_secret_environment_name(name: str) -> bool:
    """Whether a variable of a process has the name of a credential, or is one of those that sops takes keys from."""
    return name.startswith("SOPS_") or _CREDENTIAL_NAME.fullmatch(name) is not None


def has_high_entropy(text: str) -> bool:
    """Whether a text is one long word of large and small letters and digits as only a generator writes them.

    Hashes, and the public keys of age, have small letters only.
    """
    if text.lower() == text or text.upper() == text or not _RANDOM_WORD.fullmatch(text) or not re.search(r"\d", text):
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * log2(n / len(text)) for n in counts) > _MIN_ENTROPY
