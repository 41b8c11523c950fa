"""The values of one bundle: environment variables with injected secrets over them, then the other sections."""

from typing import Any

from envtree.diagnostic import Related
from envtree.keypath import format_path
from envtree.resolve.evaluation import Engine, Evaluation
from envtree.resolve.injection import entries, inject
from envtree.resolve.scope import Facts
from envtree.resolved import HOLE, Hidden, Injection, Resolved
from envtree.value import Branch, Leaf, Merged, MergedStack, span_of

# Sections whose values are computed here; `secrets` and `env_vars` have their own rules.
SECTIONS = ("config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")


def resolve_bundle(merged: MergedStack, facts: Facts, engine: Engine) -> Resolved:
    """Compute every value of one bundle."""
    evaluation = Evaluation(merged, facts, engine)
    variables = entries(merged, "env_vars")
    injected = inject(merged, evaluation)
    computed: list[tuple[str, Leaf]] = []
    for name, leaf in variables.items():
        if type(leaf) is not Leaf or name in injected:
            continue
        if leaf.dynamic:
            computed.append((name, leaf))
        else:
            evaluation.texts[name] = leaf.node.text
    for name, leaf in computed:
        evaluation.env_var(name, leaf)
    values = evaluation.texts
    sections = {name: evaluation.value(merged.sections[name], (name,)) for name in SECTIONS if name in merged.sections}
    _check_sticky(merged, values, sections, injected, evaluation)
    return Resolved(merged, values, sections, injected, _sensitive(values, sections, merged))


def _check_sticky(
    merged: MergedStack,
    values: dict[str, Any],
    sections: dict[str, Any],
    injected: dict[str, Injection],
    evaluation: Evaluation,
) -> None:
    """A plain value over one that was computed from a secret must say `$replace`."""
    for name, leaf in entries(merged, "env_vars").items():
        if leaf.guarded and name not in injected:
            _check_guarded(leaf, values.get(name), ("env_vars", name), evaluation)
    for name, value in sections.items():
        _check_guarded(merged.sections[name], value, (name,), evaluation)


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
