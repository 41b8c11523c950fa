"""What an answer says is wrong, in one sentence, whatever form it has: Kubiya's have six."""

import json
import re
from collections.abc import Mapping
from typing import Any

from envtree.diagnostics.printable import printable

LONGEST = 200
# A database tells the statement and its values, which are nobody's business.
_DATABASE = re.compile(r"\(psycopg2\.errors\.(\w+)\).*", re.DOTALL)
_MARKUP = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)


def told(body: bytes) -> str:
    """The reason in an answer; empty if it gives none."""
    text = body.decode("utf-8", "replace").strip()
    if _MARKUP.search(text[:1000]):
        return "a web page instead of an answer"
    try:
        return _short(_said(json.loads(text)))
    except ValueError:
        return _short(text)


def _said(answer: Any) -> str:
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list):
        more = f", and {len(answer) - 1} more" if len(answer) > 1 else ""
        return f"{_said(answer[0])}{more}" if answer else ""
    if not isinstance(answer, Mapping):
        return ""
    if isinstance(answer.get("msg"), str):
        # A field of a body that does not fit. What was sent in it is not repeated.
        where = ".".join(str(part) for part in answer.get("loc") or () if part != "body")
        return f"{where}: {answer['msg']}" if where else answer["msg"]
    return next(filter(None, map(_said, _reasons(answer))), "")


def _reasons(answer: Mapping[str, Any]) -> list[Any]:
    return [answer[name] for name in ("detail", "message", "error", "hint", "errors") if name in answer]


def _short(text: str) -> str:
    line = printable(_DATABASE.sub(r"\1", text).partition("\n")[0].strip())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
