"""Merge each stack of layers to one value per key; stacks that begin alike share what they begin with."""

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
    """What the layers up to here merge to."""

    sections: dict[str, MergedValue]
    secrets: MergedValue | None
    model: tuple[ScalarNode, Layer] | None


class _SectionContexts(NamedTuple):
    """How the sections of a layer are merged, and how its environment variables and its secrets are."""

    sections: MergeContext
    variables: MergeContext
    secrets: MergeContext

    @classmethod
    def of(cls, context: MergeContext) -> "_SectionContexts":
        """Made once: a named tuple's own `_replace` costs more than what it would be made for."""
        return cls(context, context._replace(as_text=True), context._replace(policies=ListPolicies({})))


class _LayerChanges(NamedTuple):
    """What one layer says, ready to be put over what is below it."""

    sections: dict[str, LayerChange]
    secrets: LayerChange | None


def merge(
    stacks: Iterable[Stack], organization: Organization, diags: Diagnostics, effects: Effects | None = None
) -> Iterator[MergedStack]:
    """Merge the stacks in the order given: one that shares its first layers with the one before costs its own only.

    When they were all that there are, `effects` can tell which directives never do anything.
    """
    contexts = _SectionContexts.of(
        MergeContext(
            ListPolicies({**BUILT_IN_LIST_POLICIES, **organization.list_policies}), diags, effects or Effects()
        )
    )
    trail: list[tuple[Layer, _MergedPrefix]] = []
    lifted: dict[Layer, _LayerChanges] = {}
    project = ""
    for stack in stacks:
        if stack.target.project != project:
            lifted, project = {}, stack.target.project
        del trail[_shared_layer_count(trail, stack) :]
        for layer in stack.layers[len(trail) :]:
            below = trail[-1][1] if trail else _MergedPrefix({}, None, None)
            if layer not in lifted:
                lifted[layer] = _read_layer(layer)
            trail.append((layer, _add_layer(below, layer, lifted[layer], contexts)))
        top = trail[-1][1]
        secrets = top.secrets.entries if type(top.secrets) is MergedMapping else {}
        yield MergedStack(stack, top.sections, secrets, top.model)


def _shared_layer_count(trail: list[tuple[Layer, _MergedPrefix]], stack: Stack) -> int:
    """How many first layers the stack has in common with the one before."""
    count = 0
    for (layer, _), other in zip(trail, stack.layers, strict=False):
        if layer is not other:
            break
        count += 1
    return count


def _read_layer(layer: Layer) -> _LayerChanges:
    sections: dict[str, LayerChange] = {}
    if layer.section:
        for name, node in layer.section.entries.items():
            sections[name] = secrets_to_change(node, layer) if name == "secrets" else to_change(node, layer)
    sealed = layer.secrets
    if sealed is None or not sealed.content.entries:
        return _LayerChanges(sections, None)
    # Positions of secrets are in the secrets file, so its values get a layer that says so.
    place = replace(layer, document=Document(sealed.path, sealed.location, sealed.digest, sealed.content))
    return _LayerChanges(sections, to_change(sealed.content, place))


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
    """Note a layer that names the model which it would have anyway."""
    if layer.model and below.model and layer.model.text == below.model[0].text:
        path = ("default_model" if layer.kind == "project" else "model_id",)
        context.effects.mark_redundant(to_leaf(*below.model), to_leaf(layer.model, layer), path)


__all__ = ["EffectLog", "Effects", "effect_findings", "merge", "restrict_to_files"]
