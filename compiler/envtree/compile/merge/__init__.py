"""Merge each stack of layers to one value per key; stacks with the same first layers share their merged values."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from envtree.compile.merge.additions import check_additions
from envtree.compile.merge.effects import EffectLog, Effects, effect_findings, restrict_to_files
from envtree.compile.merge.layer_changes import LayerChange, secrets_to_change, to_change, to_leaf
from envtree.compile.merge.merger import LayerMerger
from envtree.compile.merge.strategies import STRATEGIES
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer, Stack
from envtree.model.merged import MergedMapping, MergedStack, MergedValue
from envtree.model.nodes import Document, ScalarNode
from envtree.model.path_policy import BUILT_IN_POLICIES, PolicyLookup
from envtree.model.workspace import Organization


class _MergedPrefix(NamedTuple):
    """The merged values of the first layers of a stack."""

    sections: dict[str, MergedValue]
    secrets: MergedValue | None
    model: tuple[ScalarNode, Layer] | None


class _SectionMergers(NamedTuple):
    """The mergers of the sections, the environment variables and the secrets of a layer."""

    sections: LayerMerger
    variables: LayerMerger
    secrets: LayerMerger

    @classmethod
    def of(cls, organization: Organization, diags: Diagnostics, effects: Effects) -> "_SectionMergers":
        """Return the mergers of a run."""
        policies = PolicyLookup({**BUILT_IN_POLICIES, **organization.policies_by_path})
        return cls(
            LayerMerger(STRATEGIES, policies, diags, effects),
            LayerMerger(STRATEGIES, policies, diags, effects, as_text=True),
            LayerMerger(STRATEGIES, PolicyLookup({}), diags, effects),
        )


class _LayerChanges(NamedTuple):
    """The changes of one layer, ready to be applied to the values below it."""

    sections: dict[str, LayerChange]
    secrets: LayerChange | None


def merge(
    stacks: Iterable[Stack], organization: Organization, diags: Diagnostics, effects: Effects | None = None
) -> Iterator[MergedStack]:
    """Merge the stacks in the given order; the first layers that a stack shares with the previous one are merged once.

    If the stacks are all that the tree has, `effects` shows afterwards which directives never change anything.
    """
    mergers = _SectionMergers.of(organization, diags, effects or Effects())
    prefixes: list[tuple[Layer, _MergedPrefix]] = []
    changes_by_layer: dict[Layer, _LayerChanges] = {}
    project = ""
    for stack in stacks:
        if stack.target.project != project:
            changes_by_layer, project = {}, stack.target.project
        del prefixes[_shared_layer_count(prefixes, stack) :]
        for layer in stack.layers[len(prefixes) :]:
            below = prefixes[-1][1] if prefixes else _MergedPrefix({}, None, None)
            if layer not in changes_by_layer:
                changes_by_layer[layer] = _read_layer(layer)
            prefixes.append((layer, _add_layer(below, layer, changes_by_layer[layer], mergers)))
        for path, patterns in mergers.sections.policies.drain_ties():
            _report_tie(path, patterns, organization, diags)
        top = prefixes[-1][1]
        secrets = top.secrets.entries if type(top.secrets) is MergedMapping else {}
        yield MergedStack(stack, top.sections, secrets, top.model)


def _report_tie(
    path: KeyPath, patterns: tuple[KeyPath, KeyPath], organization: Organization, diags: Diagnostics
) -> None:
    (policy, span), (other, other_span) = sorted(
        (format_path(pattern), organization.policies_by_path[pattern].span) for pattern in patterns
    )
    assert span
    assert other_span
    message = f"'{policy}' and '{other}' match '{format_path(path)}' and are equally specific"
    hint = f"add a policy for '{format_path(path)}', which takes precedence over both"
    diags.add(Diagnostic(span, "ET221", message, hint, (RelatedSpan(other_span, "the other policy"),), "merge"))


def _shared_layer_count(prefixes: list[tuple[Layer, _MergedPrefix]], stack: Stack) -> int:
    """Return how many first layers the stack has in common with the previous one."""
    count = 0
    for (layer, _), stack_layer in zip(prefixes, stack.layers, strict=False):
        if layer is not stack_layer:
            break
        count += 1
    return count


def _read_layer(layer: Layer) -> _LayerChanges:
    sections: dict[str, LayerChange] = {}
    if layer.section:
        for name, node in layer.section.entries.items():
            sections[name] = secrets_to_change(node, layer) if name == "secrets" else to_change(node, layer)
    secrets_file = layer.secrets
    if secrets_file is None or not secrets_file.content.entries:
        return _LayerChanges(sections, None)
    # Positions of secrets refer to the secrets file, so its values get a layer with that file as the document.
    secrets_layer = replace(
        layer, document=Document(secrets_file.path, secrets_file.location, secrets_file.digest, secrets_file.content)
    )
    return _LayerChanges(sections, to_change(secrets_file.content, secrets_layer))


def _add_layer(below: _MergedPrefix, layer: Layer, changes: _LayerChanges, mergers: _SectionMergers) -> _MergedPrefix:
    mergers.sections.effects.count_merge(layer)
    _check_redundant_model(below, layer, mergers.sections.effects)
    if not changes.sections and changes.secrets is None:
        return below if layer.model is None else below._replace(model=(layer.model, layer))
    sections = below.sections
    if changes.sections:
        sections = dict(sections)
        for name, change in changes.sections.items():
            merger = mergers.variables if name == "env_vars" else mergers.sections
            if merger.policies.any_must_exist and layer.kind != "organization":
                check_additions(merger, (name,), sections.get(name), change)
            merged = merger.apply((name,), sections.get(name), change)
            sections.pop(name, None)
            if merged is not None:
                sections[name] = merged
    secrets = below.secrets
    if changes.secrets is not None:
        secrets = mergers.secrets.apply((), secrets, changes.secrets)
    return _MergedPrefix(sections, secrets, (layer.model, layer) if layer.model else below.model)


def _check_redundant_model(below: _MergedPrefix, layer: Layer, effects: Effects) -> None:
    """Record a layer that sets the model to the inherited one."""
    if layer.model and below.model and layer.model.text == below.model[0].text:
        path = ("default_model" if layer.kind == "project" else "model_id",)
        effects.mark_redundant(to_leaf(*below.model), to_leaf(layer.model, layer), path)


__all__ = ["EffectLog", "Effects", "effect_findings", "merge", "restrict_to_files"]
