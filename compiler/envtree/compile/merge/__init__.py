"""Merge each stack of layers to one value per key; stacks with the same first layers share their merged values."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from envtree.compile.merge.apply_change import apply_change
from envtree.compile.merge.context import MergeContext
from envtree.compile.merge.effects import EffectLog, Effects, effect_findings, restrict_to_files
from envtree.compile.merge.layer_changes import LayerChange, secrets_to_change, to_change, to_leaf
from envtree.compile.merge.list_policies import BUILT_IN_LIST_POLICIES, ListPolicies
from envtree.model.diagnostic import Diagnostics
from envtree.model.layers import Layer, Stack
from envtree.model.merged import MergedMapping, MergedStack, MergedValue
from envtree.model.nodes import Document, ScalarNode
from envtree.model.workspace import Organization


class _MergedPrefix(NamedTuple):
    """The merged values of the first layers of a stack."""

    sections: dict[str, MergedValue]
    secrets: MergedValue | None
    model: tuple[ScalarNode, Layer] | None


class _SectionContexts(NamedTuple):
    """The contexts in which the sections, the environment variables and the secrets of a layer are merged."""

    sections: MergeContext
    variables: MergeContext
    secrets: MergeContext

    @classmethod
    def of(cls, context: MergeContext) -> "_SectionContexts":
        """Derive the three contexts, once a run: a named tuple's `_replace` is too slow to call for each merge."""
        return cls(context, context._replace(as_text=True), context._replace(policies=ListPolicies({})))


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
    contexts = _SectionContexts.of(
        MergeContext(
            ListPolicies({**BUILT_IN_LIST_POLICIES, **organization.list_policies}), diags, effects or Effects()
        )
    )
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
            prefixes.append((layer, _add_layer(below, layer, changes_by_layer[layer], contexts)))
        top = prefixes[-1][1]
        secrets = top.secrets.entries if type(top.secrets) is MergedMapping else {}
        yield MergedStack(stack, top.sections, secrets, top.model)


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


def _add_layer(below: _MergedPrefix, layer: Layer, changes: _LayerChanges, contexts: _SectionContexts) -> _MergedPrefix:
    contexts.sections.effects.count_merge(layer)
    _check_redundant_model(below, layer, contexts.sections)
    if not changes.sections and changes.secrets is None:
        return below if layer.model is None else below._replace(model=(layer.model, layer))
    sections = below.sections
    if changes.sections:
        sections = dict(sections)
        for name, change in changes.sections.items():
            context = contexts.variables if name == "env_vars" else contexts.sections
            merged = apply_change(sections.get(name), change, (name,), None, context)
            sections.pop(name, None)
            if merged is not None:
                sections[name] = merged
    secrets = below.secrets
    if changes.secrets is not None:
        secrets = apply_change(secrets, changes.secrets, (), None, contexts.secrets)
    return _MergedPrefix(sections, secrets, (layer.model, layer) if layer.model else below.model)


def _check_redundant_model(below: _MergedPrefix, layer: Layer, context: MergeContext) -> None:
    """Record a layer that sets the model to the inherited one."""
    if layer.model and below.model and layer.model.text == below.model[0].text:
        path = ("default_model" if layer.kind == "project" else "model_id",)
        context.effects.mark_redundant(to_leaf(*below.model), to_leaf(layer.model, layer), path)


__all__ = ["EffectLog", "Effects", "effect_findings", "merge", "restrict_to_files"]
