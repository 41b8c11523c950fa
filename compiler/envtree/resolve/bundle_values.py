"""The values of one bundle: environment variables with injected secrets over them, then the other sections."""

from typing import Any

from envtree.diagnostic import Related
from envtree.keypath import format_path, parse_path
from envtree.node import Cipher
from envtree.resolve.evaluation import Engine, Evaluation, as_environment_text
from envtree.resolve.scope import Facts
from envtree.resolved import HOLE, Hidden, Injection, Resolved
from envtree.span import Span
from envtree.stack import Layer
from envtree.value import Branch, Leaf, Merged, MergedStack, span_of

# Sections whose values are computed here; `secrets` and `env_vars` have their own rules.
SECTIONS = ("config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")


def resolve_bundle(merged: MergedStack, facts: Facts, engine: Engine) -> Resolved:
    """Compute every value of one bundle."""
    evaluation = Evaluation(merged, facts, engine)
    variables = _entries(merged, "env_vars")
    injected = _inject(merged, variables, evaluation)
    values: dict[str, Any] = {}
    computed: list[tuple[str, Leaf]] = []
    for name, leaf in variables.items():
        if type(leaf) is not Leaf or name in injected:
            continue
        if leaf.dynamic:
            computed.append((name, leaf))
        else:
            values[name] = leaf.node.text
    for name, leaf in computed:
        values[name] = evaluation.env_var(name, leaf)
    for name, injection in injected.items():
        values[name] = injection.value
    sections = {
        name: evaluation.value(merged.sections[name], (name,)) for name in SECTIONS if name in merged.sections
    }
    _check_sticky(merged, values, sections, injected, evaluation)
    return Resolved(merged, values, sections, injected, _sensitive(values, sections, merged))


def _entries(merged: MergedStack, section: str) -> dict[str, Merged]:
    found = merged.sections.get(section)
    return found.entries if type(found) is Branch else {}


def _inject(merged: MergedStack, variables: dict[str, Merged], evaluation: Evaluation) -> dict[str, Injection]:
    """The injected secrets that win over plain variables of their names."""
    injected: dict[str, Injection] = {}
    chosen = _entries(merged, "secrets")
    if not chosen:
        return injected
    rank = {layer: n for n, layer in enumerate(merged.stack.layers)}
    losers = {}
    for name, leaf in chosen.items():
        plain = variables.get(name)
        if type(plain) is Leaf and rank[plain.layer] > rank[leaf.layer]:
            losers[name] = (plain, leaf)
        elif type(leaf) is Leaf:
            if plain is not None and plain.lock:
                _report_locked(name, plain.lock, span_of(leaf), evaluation)
            found = _injection(name, leaf, evaluation)
            injected[name] = found
            evaluation.put(name, found.value)
    for name, (plain, leaf) in losers.items():
        _check_override(name, plain, leaf, rank, evaluation)
    return injected


def _injection(name: str, leaf: Leaf, evaluation: Evaluation) -> Injection:
    path = parse_path(str(leaf.node.value))
    value = evaluation.secret(path, span_of(leaf), ("secrets", name))
    if value is None:
        return Injection("", format_path(path), HOLE, leaf)
    found: Merged = value.symbol
    cipher = found.node.value
    if not isinstance(cipher, Cipher):
        hint = f"name one of its parts, or set the variable to ${{{{ secrets.{format_path(path)} | tojson }}}}"
        message = f"'{format_path(path)}' is a map or a list of secrets, expected one secret"
        evaluation.report("ET508", span_of(leaf), ("secrets", name), message, hint)
        return Injection("", format_path(path), HOLE, leaf)
    return Injection(cipher.file, cipher.path, as_environment_text(value), leaf)


def _check_override(
    name: str, plain: Leaf, chosen: Merged, rank: dict[Layer, int], evaluation: Evaluation
) -> None:
    """A plain variable over an injected name must be a secret itself, or say `$replace`."""
    if chosen.lock:
        _report_locked(name, chosen.lock, span_of(plain), evaluation)
        return
    node: Merged | None = plain
    while node is not None and rank[node.layer] > rank[chosen.layer]:
        if node.rule == "$replace":
            return
        node = node.below
    value = evaluation.env_var(name, plain) if plain.dynamic else None
    if isinstance(value, Hidden):
        return
    evaluation.report(
        "ET406",
        span_of(plain),
        ("env_vars", name),
        f"'{name}' is a secret below, and a plain value here would replace it",
        "write {$replace: …} to make it plain on purpose, or take the name out of 'secrets'",
        Related(span_of(chosen), "injected here"),
    )


def _report_locked(name: str, lock: Span, place: Span, evaluation: Evaluation) -> None:
    message = f"'{name}' is locked and cannot be overridden"
    hint = "remove the override, or move the change to the layer that locks"
    evaluation.report("ET402", place, ("env_vars", name), message, hint, Related(lock, "locked here"))


def _check_sticky(
    merged: MergedStack,
    values: dict[str, Any],
    sections: dict[str, Any],
    injected: dict[str, Injection],
    evaluation: Evaluation,
) -> None:
    """A plain value over one that was computed from a secret must say `$replace`."""
    for name, leaf in _entries(merged, "env_vars").items():
        if leaf.guarded and name not in injected:
            _check_guarded(leaf, values.get(name), ("env_vars", name), evaluation)
    for name in sections:
        _check_guarded(merged.sections[name], sections[name], (name,), evaluation)


def _check_guarded(node: Merged, value: Any, key: tuple[str | int, ...], evaluation: Evaluation) -> None:
    if not node.guarded or _has_secret(value):
        return
    if type(node) is Branch and isinstance(value, dict):
        for name, child in node.entries.items():
            _check_guarded(child, value.get(name), (*key, name), evaluation)
    while node.below is not None and node.rule != "$replace":
        if node.rule == "replace" and evaluation.is_tainted(node.below):
            _report_sticky(node, key, evaluation)
            return
        node = node.below


def _has_secret(value: Any) -> bool:
    """Whether a value is a secret, holds one, or could not be computed."""
    if isinstance(value, Hidden):
        return value.secret or value is HOLE
    return bool(_secret_paths(value, ()))


def _report_sticky(node: Merged, key: tuple[str | int, ...], evaluation: Evaluation) -> None:
    name = format_path(tuple(map(str, key)))
    message = f"'{name}' is computed from a secret below, and a plain value here would replace it"
    hint = "write {$replace: …} to make it plain on purpose"
    related = Related(span_of(node.below or node), "the secret value")
    evaluation.report("ET406", span_of(node), key, message, hint, related)


def _sensitive(values: dict[str, Any], sections: dict[str, Any], merged: MergedStack) -> tuple[str, ...]:
    found = [name for name, value in values.items() if type(value) is Hidden and value.secret]
    for name, data in sections.items():
        if merged.sections[name].dynamic:
            found.extend(_secret_paths(data, (name,)))
    return tuple(sorted(found))


def _secret_paths(data: Any, path: tuple[str, ...]) -> list[str]:
    if isinstance(data, Hidden):
        return [format_path(path)] if data.secret else []
    if isinstance(data, dict):
        return [found for key, child in data.items() for found in _secret_paths(child, (*path, key))]
    if isinstance(data, list):
        return [found for n, child in enumerate(data) for found in _secret_paths(child, (*path, str(n)))]
    return []
