"""Check the shape of computed values, which only the result of an expression can violate."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import Diagnostic, Diagnostics, SkippedCheck
from envtree.model.keypath import format_path
from envtree.model.resolved import ERROR_VALUE, HiddenValue, Resolved

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/?#]+[^\s]*")

_MAX_SHOWN = 80
_URL = "an absolute URL"
_HINTS: Mapping[str, str] = {_URL: "begin it with a scheme and a host, such as https://api.example.com"}


def check_shape(resolved: Resolved, diags: Diagnostics) -> None:
    """Report endpoints that are no absolute URLs, flags that are no scalars, and other values of a wrong type."""
    for name, value in resolved.sections.get("endpoints", {}).items():
        check_value(("endpoints", name), value, _is_url, _URL, resolved, diags)
    for name, value in resolved.sections.get("feature_flags", {}).items():
        if type(value) is not bool:
            check_value(("feature_flags", name), value, _is_flag, "a boolean, text or a number", resolved, diags)
    if "working_dir" in resolved.sections:
        check_value(("working_dir",), resolved.sections["working_dir"], _is_folder, "text", resolved, diags)
    if "integration_ids" in resolved.sections:
        for index, value in enumerate(resolved.sections["integration_ids"]):
            check_value(("integration_ids", index), value, _is_text, "text", resolved, diags)


def check_value(
    path: tuple[str | int, ...],
    value: Any,
    is_valid: Callable[[Any], bool],
    expected: str,
    resolved: Resolved,
    diags: Diagnostics,
) -> None:
    """Report a value that `is_valid` rejects; the check of an unknown value is recorded as skipped."""
    if value is ERROR_VALUE:
        return
    key, id = format_path(tuple(map(str, path))), resolved.target.id
    plain = value.reveal() if isinstance(value, HiddenValue) and value.is_known else value
    if isinstance(plain, HiddenValue):
        diags.skip(SkippedCheck(origin_span(resolved, path), "ET508", key, id))
    elif not is_valid(plain):
        message = f"'{key}' is {_describe_value(value)}, expected {expected}"
        diags.add(
            Diagnostic(origin_span(resolved, path), "ET508", message, _HINTS.get(expected, ""), key=key, bundle=id)
        )


def _describe_value(value: Any) -> str:
    if isinstance(value, HiddenValue):
        return "a value that is not shown"
    if isinstance(value, (dict, list)):
        return "a map" if isinstance(value, dict) else "a list"
    return f"'{value[:_MAX_SHOWN]}'" if isinstance(value, str) else encode_compact(value)


def _is_url(value: Any) -> bool:
    if not isinstance(value, str) or not _SCHEME.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return parts.hostname is not None and parts.port != 0
    except ValueError:
        return False


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, str, int, float))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_folder(value: Any) -> bool:
    return value is None or isinstance(value, str)
