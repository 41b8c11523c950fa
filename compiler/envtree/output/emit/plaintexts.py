"""Collect the plaintext secrets of a bundle, so that they can be redacted or stored elsewhere."""

from collections.abc import Iterator, Mapping
from typing import Any

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import EncryptedValue
from envtree.model.output_settings import KubernetesSettings
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts, reveal, symbol_operands
from envtree.model.secret_entries import NamedSecret, iter_named_secrets
from envtree.output.emit.bundle_variables import collect_variables, prepare_writer_input


def vault_values(bundle: Bundle, patterns: Mapping[str, str]) -> dict[str, str]:
    """Return the secret variables of a bundle in plain text; empty after a run without a key."""
    variables = collect_variables(bundle, patterns)
    names = prepare_writer_input(variables, None, bundle.data, KubernetesSettings()).references
    plain = prepare_writer_input(variables, "plain", bundle.data, KubernetesSettings()).texts
    return {name: plain[name] for name in names if name in plain}


def collect_plaintexts(bundle: Bundle) -> frozenset[NamedSecret]:
    """Return every sensitive value of a bundle, and every secret that one of them was computed from."""
    variables = hidden_parts(bundle.data["env_vars"]) if bundle.sensitive else iter(())
    sections = {key: value for key, value in bundle.data.items() if key != "env_vars"}
    parts = (*variables, *hidden_parts(sections))
    visited: set[int] = set()
    return frozenset(secret for path, value in parts for secret in _value_plaintexts(".".join(path), value, visited))


def _value_plaintexts(name: str, value: HiddenValue, visited: set[int]) -> Iterator[NamedSecret]:
    """Yield the plaintext of a hidden value and of the secrets it was computed from; shared parts are visited once."""
    if value.is_known and value.secret:
        yield from iter_named_secrets(name, reveal(value))
    if id(value) in visited:
        return
    visited.add(id(value))
    symbol = value.symbol
    if isinstance(symbol, (MergedMapping, MergedSequence, MergedScalar)):
        yield from _stored_plaintexts(symbol, value.reveal())
    for operand in symbol_operands(symbol):
        for _, inner in hidden_parts(operand):
            yield from _value_plaintexts(name, inner, visited)


def _stored_plaintexts(merged: MergedValue, plain: Any) -> Iterator[NamedSecret]:
    """Yield the secrets of a merged value, named after their place in the secrets files."""
    if isinstance(merged, MergedMapping):
        for key, child in merged.entries.items():
            yield from _stored_plaintexts(child, plain[key])
    elif isinstance(merged, MergedSequence):
        for child, item in zip(merged.items, plain, strict=True):
            yield from _stored_plaintexts(child, item)
    elif isinstance(merged, MergedScalar) and isinstance(merged.node.value, EncryptedValue):
        yield from iter_named_secrets(f"{merged.node.value.file}#{merged.node.value.path}", plain)
