"""Compute targets: the environments that a project, team or agent is compiled for, each level a subset of the last."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text_scalars
from envtree.model.nodes import Document, SequenceNode
from envtree.model.span import Span
from envtree.model.tree_layout import is_valid_name
from envtree.model.workspace import Environment


class Targets(NamedTuple):
    """The environments of a level; `span` is the list that names them, if there is one.

    `is_reliable` is False if a name in the list is wrong: consequences of that mistake are not reported as well.
    """

    names: tuple[str, ...]
    span: Span | None = None
    is_reliable: bool = True

    def related(self, note: str) -> tuple[RelatedSpan, ...]:
        """Return the list as a related location of a finding."""
        return (RelatedSpan(self.span, f"{note}: {', '.join(self.names) or 'none'}"),) if self.span else ()


def default_targets(environments: Mapping[str, Environment]) -> Targets:
    """Return every environment that is not abstract."""
    return Targets(tuple(sorted(name for name, environment in environments.items() if not environment.abstract)))


def narrow_targets(
    document: Document | None,
    parent_targets: Targets,
    environments: Mapping[str, Environment],
    owner: str,
    diags: Diagnostics,
) -> Targets:
    """Return the declared targets of a file, or those of the level above; `owner` names the file in messages."""
    declared = get_field(document, "targets")
    if document is None or declared is None:
        return parent_targets
    names, is_reliable = [], isinstance(declared, SequenceNode)
    for target in get_text_scalars(declared):
        if not isinstance(declared, SequenceNode) and target.value not in parent_targets.names:
            continue  # the schema check reports that it is not a list
        if not is_valid_name(str(target.value)):
            is_reliable = False  # reported by the schema check
        elif target.value in parent_targets.names:
            names.append(str(target.value))
        else:
            environment = environments.get(str(target.value))
            is_reliable = False
            if parent_targets.is_reliable or environment is None or environment.abstract:
                diags.add(
                    _target_finding(document.span(target), str(target.value), parent_targets, environments, owner)
                )
    return Targets(tuple(sorted(names)), document.span(declared), is_reliable)


def _target_finding(
    span: Span, name: str, parent_targets: Targets, environments: Mapping[str, Environment], owner: str
) -> Diagnostic:
    environment = environments.get(name)
    related: tuple[RelatedSpan, ...] = ()
    if environment is None:
        code, message = "ET301", f"{owner} targets '{name}', which is no environment"
        hint = did_you_mean(name, [candidate for candidate, entry in environments.items() if not entry.abstract])
        hint = hint or f"there is none yet: add 'environments/{name}.yaml'"
    elif environment.abstract:
        code, message = "ET305", f"{owner} targets '{name}', which is abstract"
        heirs = sorted(target for target in parent_targets.names if name in environments[target].lineage)
        hint = (
            f"target an environment that inherits it: {', '.join(heirs)}" if heirs else "nothing inherits it: remove it"
        )
        declared = environment.document.key_span(environment.document.root, "abstract")
        related = (RelatedSpan(declared, "it is abstract"),)
    else:
        code, message = "ET304", f"{owner} targets '{name}', which the level above does not"
        hint, related = "remove it here, or add it to the targets above", parent_targets.related("the targets above")
    return Diagnostic(span, code, message, hint, related=related, key="targets")
