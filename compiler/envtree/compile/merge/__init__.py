"""Merge each stack of layers to one value per key; stacks that begin alike share what they begin with."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from envtree.compile.merge.apply import apply
from envtree.compile.merge.context import Context
from envtree.compile.merge.effects import Effects, Seen, findings, within
from envtree.compile.merge.lift import Change, lift, lift_scalar
from envtree.compile.merge.policies import BUILT_IN, Policies
from envtree.compile.merge.secrets_section import lift_secrets_section
from envtree.model.diagnostic import Diagnostics
from envtree.model.layers import Layer, Stack
from envtree.model.merged import Branch, Merged, MergedStack
from envtree.model.nodes import Document, Scalar
from envtree.model.workspace import Organization


class _Prefix(NamedTuple):
    """What the layers up to here merge to."""

    sections: dict[str, Merged]
    secrets: Merged | None
    model: tuple[Scalar, Layer] | None


class _Contexts(NamedTuple):
    """How the sections of a layer are merged, and how its environment variables and its secrets are."""

    sections: Context
    variables: Context
    secrets: Context

    @classmethod
    def of(cls, context: Context) -> "_Contexts":
        """Made once: a named tuple's own `_replace` costs more than what it would be made for."""
        return cls(context, context._replace(text=True), context._replace(policies=Policies({})))


class _Lifted(NamedTuple):
    """What one layer says, ready to be put over what is below it."""

    sections: dict[str, Change]
    secrets: Change | None


def merge(
    stacks: Iterable[Stack], organization: Organization, diags: Diagnostics, effects: Effects | None = None
) -> Iterator[MergedStack]:
    """Merge the stacks in the order given: one that shares its first layers with the one before costs its own only.

    When they were all that there are, `effects` can tell which directives never do anything.
    """
    contexts = _Contexts.of(Context(Policies({**BUILT_IN, **organization.merge}), diags, effects or Effects()))
    trail: list[tuple[Layer, _Prefix]] = []
    lifted: dict[Layer, _Lifted] = {}
    project = ""
    for stack in stacks:
        if stack.target.project != project:
            lifted, project = {}, stack.target.project
        del trail[_shared(trail, stack) :]
        for layer in stack.layers[len(trail) :]:
            below = trail[-1][1] if trail else _Prefix({}, None, None)
            if layer not in lifted:
                lifted[layer] = _lift(layer)
            trail.append((layer, _climb(below, layer, lifted[layer], contexts)))
        top = trail[-1][1]
        secrets = top.secrets.entries if type(top.secrets) is Branch else {}
        yield MergedStack(stack, top.sections, secrets, top.model)


def _shared(trail: list[tuple[Layer, _Prefix]], stack: Stack) -> int:
    """How many first layers the stack has in common with the one before."""
    count = 0
    for (layer, _), other in zip(trail, stack.layers, strict=False):
        if layer is not other:
            break
        count += 1
    return count


def _lift(layer: Layer) -> _Lifted:
    sections: dict[str, Change] = {}
    if layer.section:
        for name, node in layer.section.entries.items():
            sections[name] = lift_secrets_section(node, layer) if name == "secrets" else lift(node, layer)
    sealed = layer.secrets
    if sealed is None or not sealed.content.entries:
        return _Lifted(sections, None)
    # Positions of secrets are in the secrets file, so its values get a layer that says so.
    place = replace(layer, document=Document(sealed.path, sealed.location, sealed.digest, sealed.content))
    return _Lifted(sections, lift(sealed.content, place))


def _climb(below: _Prefix, layer: Layer, lifted: _Lifted, contexts: _Contexts) -> _Prefix:
    contexts.sections.effects.merged(layer)
    _compare_models(below, layer, contexts.sections)
    if not lifted.sections and lifted.secrets is None:
        return below if layer.model is None else below._replace(model=(layer.model, layer))
    sections = below.sections
    if lifted.sections:
        sections = dict(sections)
        for name, change in lifted.sections.items():
            context = contexts.variables if name == "env_vars" else contexts.sections
            merged = apply(sections.get(name), change, (name,), None, context)
            sections.pop(name, None)
            if merged is not None:
                sections[name] = merged
    secrets = below.secrets
    if lifted.secrets is not None:
        secrets = apply(secrets, lifted.secrets, (), None, contexts.secrets)
    return _Prefix(sections, secrets, (layer.model, layer) if layer.model else below.model)


def _compare_models(below: _Prefix, layer: Layer, context: Context) -> None:
    """Note a layer that names the model which it would have anyway."""
    if layer.model and below.model and layer.model.text == below.model[0].text:
        path = ("default_model" if layer.kind == "project" else "model_id",)
        context.effects.repeat(lift_scalar(*below.model), lift_scalar(layer.model, layer), path)


__all__ = ["Effects", "Seen", "findings", "merge", "within"]
