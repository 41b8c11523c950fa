"""Detect credentials: by token format, a URL with a password, the name of a variable, or high entropy."""

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
_COMPILED_TOKEN_PATTERNS = {kind: re2.compile(pattern) for kind, pattern in _TOKEN_PATTERNS.items()}
_ANY_TOKEN = re2.compile("|".join(_TOKEN_PATTERNS.values()))
# For JSON: one scan of a whole file, in linear time.
_CREDENTIAL_SCAN = re2.compile(
    "|".join([*_TOKEN_PATTERNS.values(), rf'(?i)"[A-Z0-9_]*{_NAME_PATTERN}":"[^"]']).encode()
)
# The possessive quantifier scans each word once, so this takes linear time as well.
_LONG_WORDS = re.compile(rb'"([A-Za-z0-9+/_=-]{24,}+)"')
_CREDENTIAL_NAME = re.compile(rf"[A-Z0-9_]*{_NAME_PATTERN}", re.IGNORECASE)
# A line of YAML: a key that names a credential, and its value.
_CREDENTIAL_ASSIGNMENT = re.compile(rf"{_NAME_PATTERN}[\"']?\s*:\s*[\"']?([^\s\"'].*)", re.IGNORECASE)
# The path of a secret, as in the `secrets` section: `db.password`.
_SECRET_PATH = re.compile(r"[a-z_]+(?:\.[a-z_]+)+\s*(?:[,}#]|$)")
# Values that cannot be credentials: references, placeholders, paths, switches.
_NON_VALUE = re.compile(
    r"\$|\{\{|<|\*|\.{0,2}/|\w+://|(?:true|false|none|null|changeme|unset|test|example|dummy|fake|placeholder|redacted|todo|x+|\d+)\Z",
    re.IGNORECASE,
)
# An expression, not an escaped one, that reads a root which may be secret: such a text is put together from a secret.
_COMPUTED_VALUE = re2.compile(r"(?:^|[^$])\$\{\{[^}]*\b(?:secrets|env_vars|config|endpoints)\b")
_RANDOM_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_MIN_ENTROPY = 4.3


def may_contain_credential(text: bytes) -> bool:
    """Report whether the JSON of a file may contain a credential."""
    return _CREDENTIAL_SCAN.search(text) is not None or any(
        has_high_entropy(word.decode()) for word in _LONG_WORDS.findall(text)
    )


def is_credential_line(line: str) -> bool:
    """Report whether a line of a file may contain a credential and should not be printed."""
    # RE2 rejects lone surrogates, which a file with invalid UTF-8 may contain.
    line = line.encode("utf-8", "replace").decode()
    assignment = _CREDENTIAL_ASSIGNMENT.search(line)
    if _ANY_TOKEN.search(line):
        return True
    if assignment and not _NON_VALUE.match(assignment[1]) and not _SECRET_PATH.match(assignment[1]):
        return True
    return any(map(has_high_entropy, _RANDOM_WORD.findall(line)))


def detect_credential_form(text: str) -> str:
    """Return the kind of credential whose format a text contains; empty for none."""
    if not _ANY_TOKEN.search(text):
        return ""
    return next(kind for kind, pattern in _COMPILED_TOKEN_PATTERNS.items() if pattern.search(text))


def is_credential_variable(name: str, text: str) -> bool:
    """Report whether a variable is named like a credential and has a value that may be one."""
    is_plain = text and not _NON_VALUE.match(text) and not _COMPUTED_VALUE.search(text)
    return bool(is_plain and _CREDENTIAL_NAME.fullmatch(name))


def is_secret_environment_name(name: str) -> bool:
    """Report whether an environment variable is named like a credential, or is one from which sops reads keys."""
    return name.startswith("SOPS_") or _CREDENTIAL_NAME.fullmatch(name) is not None


def has_high_entropy(text: str) -> bool:
    """Report whether a text is one long word of upper-case and lower-case letters and digits that looks random.

    Hashes and the public keys of age do not match: their letters are all lower-case.
    """
    if text.lower() == text or text.upper() == text or not _RANDOM_WORD.fullmatch(text) or not re.search(r"\d", text):
        return False
    counts = Counter(text).values()
    return -sum(n / len(text) * log2(n / len(text)) for n in counts) > _MIN_ENTROPY
