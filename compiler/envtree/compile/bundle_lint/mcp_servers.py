"""Check the resolved MCP servers: layers may each contribute a part of one, and expressions any value."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from envtree.compile.bundle_lint.value_origin import origin_span
from envtree.compile.bundle_lint.value_shape import check_value
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.keypath import format_path
from envtree.model.resolved import HiddenValue, PartSymbol, Resolved, is_text

_TRANSPORT_KEYS = frozenset({"type", "transport_type"})
_STDIO_KEYS = frozenset({"args", "env"})
_HTTP_KEYS = frozenset({"url", "headers"}) | _TRANSPORT_KEYS


def check_mcp_servers(resolved: Resolved, diags: Diagnostics) -> None:
    """Report MCP servers that no agent could start or connect to."""
    for name, server in resolved.sections.get("mcp_servers", {}).items():
        path = ("mcp_servers", name)
        fields = _fields(server)
        if fields is None:
            check_value(path, server, _is_map, "a map", resolved, diags)
            continue
        problem = _describe_problem(fields, show_keys=fields is server)
        if problem:
            key, id = format_path(path), resolved.target.id
            hint = "a server has 'command', or 'url' and 'type'"
            diags.add(Diagnostic(origin_span(resolved, path), "ET508", f"'{key}' {problem}", hint, key=key, bundle=id))
        for field, value in fields.items():
            if field not in _FIELD_CHECKS:
                continue
            for part, part_value in _split_field(field, value):
                if not (part and isinstance(part_value, HiddenValue) and is_text(part_value)):
                    check_value(
                        (*path, field, *part), part_value, *_FIELD_CHECKS["" if part else field], resolved, diags
                    )


def _fields(server: Any) -> Mapping[str, Any] | None:
    """Return the fields of a server, None if it is no map; if it is hidden as a whole, each field is hidden."""
    plain = server.reveal() if isinstance(server, HiddenValue) else server
    if plain is server or not isinstance(plain, dict):
        return server if isinstance(server, dict) else None
    return {
        name: HiddenValue(value, secret=server.secret, symbol=PartSymbol(server, (name,)))
        for name, value in plain.items()
    }


def _describe_problem(server: Mapping[str, Any], *, show_keys: bool) -> str:
    """Describe the missing or superfluous key of a server; an unknown key of a hidden server is not named."""
    fields = server.keys()
    unknown = sorted(fields - _STDIO_KEYS - _HTTP_KEYS - {"command"})
    if unknown:
        return f"has '{unknown[0]}', which is no key of a server" if show_keys else "has a key that is none of a server"
    if "command" in fields:
        extra = sorted(fields & _HTTP_KEYS)
        return f"has 'command', so it cannot have '{extra[0]}'" if extra else ""
    if "url" not in fields:
        return "has neither 'command' nor 'url'"
    extra = sorted(fields & _STDIO_KEYS)
    if extra:
        return f"has 'url', so it cannot have '{extra[0]}'"
    return "" if fields & _TRANSPORT_KEYS else "has 'url', but no 'type'"


def _split_field(field: str, value: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the elements of a list or map of texts, to report each at its own path; else the value itself."""
    if field == "args" and isinstance(value, list):
        yield from (((index,), item) for index, item in enumerate(value))
    elif field in ("env", "headers") and isinstance(value, dict):
        yield from (((name,), item) for name, item in value.items())
    else:
        yield (), value


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_non_blank(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_transport(value: Any) -> bool:
    return value in ("http", "sse")


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_map_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


_FIELD_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "": (_is_text, "text"),
    "command": (_is_non_blank, "a command"),
    "url": (_is_non_blank, "an address"),
    "type": (_is_transport, "'http' or 'sse'"),
    "transport_type": (_is_transport, "'http' or 'sse'"),
    "args": (_is_list_of_texts, "a list of texts"),
    "env": (_is_map_of_texts, "a map of texts"),
    "headers": (_is_map_of_texts, "a map of texts"),
}
