"""Whether a file stands as sops writes it, so that no two readers could take it for different things.

Files are read by the YAML parsers of two languages, and those agree on what programs write, not on all that people can
think of. Nothing here says that a file is wrong: what is unusual is left to sops itself, which is slower.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from envtree.model.secrets_file import UNENCRYPTED_SUFFIX, SecretsFile, parse_ciphertext
from envtree.secrets.sops.results import parse_json_object


class NeedsSopsError(Exception):
    """Only sops itself can say what becomes of a file."""


class StandardFile(NamedTuple):
    """What a file says about itself: its tree without the `sops` map, and from there what it takes to open it.

    `entries` are its recipients, each with the data key as it is encrypted for this one, in their order.
    """

    tree: Mapping[str, Any]
    wrapped_keys: tuple[tuple[str, str], ...]
    lastmodified: str
    mac: str


_SOPS = "sops"
_METADATA = frozenset({"age", "lastmodified", "mac", "version", "unencrypted_suffix"})
# Older versions of sops write all kinds of keys, the unused ones empty.
_UNUSED = frozenset({"kms", "gcp_kms", "azure_kv", "hc_vault", "pgp"})
_VERSION = re.compile(r"[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

# Begins with a letter, so that it is a text in every YAML, unless it is one of the words.
_KEY = re.compile(r"(?:[^\W\d]|\$)[\w.$/@ -]*")
_YAML_KEYWORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

# What begins anchors, aliases, tags, merges, escapes, maps in braces, directives; and several documents.
_NONSTANDARD_YAML_BYTES = b"&*!<>?%@`{}\\\t\r"
_DOCUMENT_MARKERS = (b"---", b"...")
# sops takes the text of a comment for a value if it can be decrypted as one, and counts it in the MAC.
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
    """What a file says, if it is one for plain age keys and stands as sops writes it; else LeftToSops."""
    tree = dict(sealed.raw_data)
    metadata = tree.pop(_SOPS, None)
    usual = isinstance(metadata, dict) and _is_standard_text(sealed, data) and _has_standard_keys(tree)
    if not usual or not _is_standard_metadata(metadata):
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
    marks = data.startswith(_DOCUMENT_MARKERS) or any(b"\n" + mark in data for mark in _DOCUMENT_MARKERS)
    return not marks and len(data.translate(None, _NONSTANDARD_YAML_BYTES)) == len(data)


def _has_standard_keys(node: Any) -> bool:
    if isinstance(node, dict):
        return all(_is_standard_key(key) and _has_standard_keys(child) for key, child in node.items())
    return all(map(_has_standard_keys, node)) if isinstance(node, list) else True


def _is_standard_key(key: str) -> bool:
    return _KEY.fullmatch(key) is not None and key.casefold() not in _YAML_KEYWORDS


def _is_standard_metadata(metadata: dict[str, Any]) -> bool:
    used = {name: value for name, value in metadata.items() if name not in _UNUSED or value not in (None, [])}
    texts = all(isinstance(value, str) for name, value in used.items() if name != "age")
    if (
        not texts
        or not used.keys() <= _METADATA
        or used.get("unencrypted_suffix", UNENCRYPTED_SUFFIX) != UNENCRYPTED_SUFFIX
    ):
        return False
    mac = parse_ciphertext(used.get("mac", ""))
    known = mac is not None and mac.type == "str" and _VERSION.fullmatch(used.get("version", "")) is not None
    return known and _is_time(used.get("lastmodified", "")) and _are_age_entries(used.get("age"))


def _is_time(text: str) -> bool:
    """Whether sops would write the time that it reads just so: in UTC, without fractions."""
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
