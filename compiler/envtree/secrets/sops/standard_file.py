"""Check that a file has the form in which sops writes it, so that two parsers cannot read it differently.

Two YAML parsers, in two languages, read each file; they agree on the output of programs, but not on everything that
YAML allows. This module never rejects a file: an unusual one is left to sops itself, which is slower.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from envtree.model.secrets_file import UNENCRYPTED_SUFFIX, SecretsFile, parse_ciphertext
from envtree.secrets.sops.results import parse_json_object


class NeedsSopsError(Exception):
    """Only sops itself can decide about a file."""


class StandardFile(NamedTuple):
    """A file in standard form: its tree without the `sops` map, and the metadata needed to open it.

    `wrapped_keys` are pairs of an age recipient and the data key encrypted for it, in the order of the file.
    """

    tree: Mapping[str, Any]
    wrapped_keys: tuple[tuple[str, str], ...]
    lastmodified: str
    mac: str


_METADATA_KEY = "sops"
_METADATA_FIELDS = frozenset({"age", "lastmodified", "mac", "version", "unencrypted_suffix"})
# Older versions of sops write all kinds of keys, the unused ones empty.
_UNUSED_FIELDS = frozenset({"kms", "gcp_kms", "azure_kv", "hc_vault", "pgp"})
_VERSION = re.compile(r"[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

# A key that begins with a letter is a string to every YAML parser, unless it is one of the keywords.
_KEY = re.compile(r"(?:[^\W\d]|\$)[\w.$/@ -]*")
_YAML_KEYWORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

# Characters of anchors, aliases, tags, merges, escapes, flow maps and directives; and markers between documents.
_NONSTANDARD_YAML_BYTES = b"&*!<>?%@`{}\\\t\r"
_DOCUMENT_MARKERS = (b"---", b"...")
# sops treats a comment as a value if its text can be decrypted as one, and includes it in the MAC.
_NONSTANDARD_COMMENT = re.compile(
    r"#(?:[ ]*$|ENC\[(?!AES256_GCM,data:[A-Za-z0-9+/]+={0,2},iv:[A-Za-z0-9+/]{43}=,"
    r"tag:[A-Za-z0-9+/]{22}==,type:comment\]$))",
    re.MULTILINE,
)
_NONSTANDARD_ENV_LINE = re.compile(
    r"\r|^sops_(?!(?:age__list_(?:0|[1-9][0-9]*)__map_(?:enc|recipient)|lastmodified|mac|version|unencrypted_suffix)=)",
    re.MULTILINE,
)


def parse_standard_file(sealed: SecretsFile, data: bytes) -> StandardFile:
    """Parse a file for plain age keys in the form in which sops writes it; NeedsSopsError for any other."""
    tree = dict(sealed.raw_data)
    metadata = tree.pop(_METADATA_KEY, None)
    is_standard = isinstance(metadata, dict) and _is_standard_text(sealed, data) and _has_standard_keys(tree)
    if not is_standard or not _is_standard_metadata(metadata):
        raise NeedsSopsError
    entries = tuple((entry["recipient"], entry["enc"]) for entry in metadata["age"])
    return StandardFile(tree, entries, metadata["lastmodified"], metadata["mac"])


def _is_standard_text(sealed: SecretsFile, data: bytes) -> bool:
    if sealed.format == "json":
        return parse_json_object(data) == sealed.raw_data
    if _NONSTANDARD_COMMENT.search(data.decode()):
        return False
    return _is_standard_yaml(data) if sealed.format == "yaml" else not _NONSTANDARD_ENV_LINE.search(data.decode())


def _is_standard_yaml(data: bytes) -> bool:
    has_markers = data.startswith(_DOCUMENT_MARKERS) or any(b"\n" + marker in data for marker in _DOCUMENT_MARKERS)
    return not has_markers and len(data.translate(None, _NONSTANDARD_YAML_BYTES)) == len(data)


def _has_standard_keys(node: Any) -> bool:
    if isinstance(node, dict):
        return all(_is_standard_key(key) and _has_standard_keys(child) for key, child in node.items())
    return all(map(_has_standard_keys, node)) if isinstance(node, list) else True


def _is_standard_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and key.casefold() not in _YAML_KEYWORDS


def _is_standard_metadata(metadata: dict[str, Any]) -> bool:
    used = {name: value for name, value in metadata.items() if name not in _UNUSED_FIELDS or value not in (None, [])}
    are_texts = all(isinstance(value, str) for name, value in used.items() if name != "age")
    if (
        not are_texts
        or not used.keys() <= _METADATA_FIELDS
        or used.get("unencrypted_suffix", UNENCRYPTED_SUFFIX) != UNENCRYPTED_SUFFIX
    ):
        return False
    mac = parse_ciphertext(used.get("mac", ""))
    has_mac = mac is not None and mac.type == "str"
    has_version = _VERSION.fullmatch(used.get("version", "")) is not None
    return has_mac and has_version and _is_time(used.get("lastmodified", "")) and _are_age_entries(used.get("age"))


def _is_time(text: str) -> bool:
    """Report whether a time has the form in which sops writes it: in UTC, without fractions."""
    try:
        return bool(_TIME.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _are_age_entries(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and entry.keys() == {"recipient", "enc"}
        and all(isinstance(text, str) for text in entry.values())
        for entry in entries
    )
