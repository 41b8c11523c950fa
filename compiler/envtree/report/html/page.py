"""The page as one file: markup, style, script and data, under a content security policy that allows nothing else."""

import hashlib
from base64 import b64encode
from importlib.resources import files
from string import Template
from typing import Any

import orjson

# In this order: each file uses definitions of those before it.
_SCRIPTS = (
    "text",
    "data",
    "state",
    "view",
    "tree",
    "grid",
    "cell",
    "provenance",
    "findings",
    "difference",
    "controls",
    "main",
)
# Escaped, these characters cannot end the element around the data, or a line of a script.
_ESCAPES = {
    b"<": b"\\u003c",
    b">": b"\\u003e",
    b"&": b"\\u0026",
    "\u2028".encode(): b"\\u2028",
    "\u2029".encode(): b"\\u2029",
}


def render_page(data: dict[str, Any]) -> bytes:
    """Return the page that shows the data."""
    style = _read_asset("page.css")
    script = '"use strict";\n{\n' + "\n".join(_read_asset(f"{name}.js") for name in _SCRIPTS) + "}\n"
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_csp_digest(script)}'",
            f"style-src '{_csp_digest(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )
    parts = {"policy": policy, "style": style, "script": script, "data": _encode_json(data).decode()}
    return Template(_read_asset("page.html")).substitute(parts).encode()


def _encode_json(data: dict[str, Any]) -> bytes:
    text = orjson.dumps(data)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _csp_digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _read_asset(name: str) -> str:
    return (files(__package__) / "page" / name).read_text(encoding="utf-8")
