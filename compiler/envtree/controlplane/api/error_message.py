"""Extract one sentence from an error response of the server, whose errors have six different shapes."""

import json
import re
from collections.abc import Mapping
from typing import Any

from envtree.diagnostics.printable import printable

MAX_MESSAGE_LENGTH = 200
# A database error repeats the statement and its values, which must not be printed.
_DATABASE_ERROR = re.compile(r"\(psycopg2\.errors\.(\w+)\).*", re.DOTALL)
_MARKUP = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)


def extract_error_message(body: bytes) -> str:
    """Return the reason in a response body; empty if it contains none."""
    text = body.decode("utf-8", "replace").strip()
    if _MARKUP.search(text[:1000]):
        return "a web page instead of an answer"
    try:
        return _shorten(_message_of(json.loads(text)))
    except ValueError:
        return _shorten(text)


def _message_of(body: Any) -> str:
    if isinstance(body, str):
        return body
    if isinstance(body, list):
        more = f", and {len(body) - 1} more" if len(body) > 1 else ""
        return f"{_message_of(body[0])}{more}" if body else ""
    if not isinstance(body, Mapping):
        return ""
    if isinstance(body.get("msg"), str):
        # A field that failed validation. The value that was sent is not repeated.
        location = ".".join(str(part) for part in body.get("loc") or () if part != "body")
        return f"{location}: {body['msg']}" if location else body["msg"]
    return next(filter(None, map(_message_of, _message_candidates(body))), "")


def _message_candidates(body: Mapping[str, Any]) -> list[Any]:
    return [body[name] for name in ("detail", "message", "error", "hint", "errors") if name in body]


def _shorten(text: str) -> str:
    line = printable(_DATABASE_ERROR.sub(r"\1", text).partition("\n")[0].strip())
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[: MAX_MESSAGE_LENGTH - 1]}…"
