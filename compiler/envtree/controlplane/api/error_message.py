"""Extract one sentence from an error response of the server, whose errors have six different shapes."""

import re
from collections.abc import Mapping
from typing import Any

from envtree.controlplane.api.answer_limits import AnswerError, parse_json
from envtree.diagnostics.printable import printable

MAX_MESSAGE_LENGTH = 200
# A server decides the length of its answer, and most of a long one is not shown.
_MAX_READ_LENGTH = 10_000
# A database error repeats the statement and its values, which must not be printed.
_DATABASE_ERROR = re.compile(r"\(psycopg2\.errors\.(\w+)\).*", re.DOTALL)
_MARKUP = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)


def extract_error_message(body: str) -> str:
    """Return the reason in a response body; empty if it contains none."""
    text = body.strip()
    if _MARKUP.search(text[:1000]):
        return "a web page instead of an answer"
    try:
        return _shorten(_message_of(parse_json(text)))
    except AnswerError:
        return ""
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
        location = ".".join(str(part) for part in _list(body.get("loc")) if part != "body")
        return f"{location}: {body['msg']}" if location else body["msg"]
    return next(filter(None, map(_message_of, _message_candidates(body))), "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _message_candidates(body: Mapping[str, Any]) -> list[Any]:
    return [body[name] for name in ("detail", "message", "error", "hint", "errors") if name in body]


def _shorten(text: str) -> str:
    line = printable(_DATABASE_ERROR.sub(r"\1", text[:_MAX_READ_LENGTH]).partition("\n")[0].strip())
    return line if len(line) <= MAX_MESSAGE_LENGTH else f"{line[: MAX_MESSAGE_LENGTH - 1]}…"
