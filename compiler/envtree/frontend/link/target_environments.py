"""Targets: the environments that something is compiled for, each level a subset of the one above."""

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
    """The environments of a level; `span` is the list that names them, None where none does.

    They are not `sure` where a name was wrong: what is missing then follows from that, and is no second mistake.
    """

    names: tuple[str, ...]
    span: Span | None = None
    is_reliable: bool = True

    def related(self, note: str) -> tuple[RelatedSpan, ...]:
        """The list as the other place of a finding."""
        return (RelatedSpan(self.span, f"{note}: {', '.join(self.names) or 'none'}"),) if self.span else ()


def default_targets(environments: Mapping[str, Environment]) -> Targets:
    """Every environment that is not abstract."""
    return Targets(tuple(sorted(name for name, environment in environments.items() if not environment.abstract)))


def narrow_targets(
    document: Document | None,
    parent_targets: Targets,
    environments: Mapping[str, Environment],
    owner: str,
    diags: Diagnostics,
) -> Targets:
    """The declared targets of a file, or those above it; `owner` names it in messages."""
    declared = get_field(document, "targets")
    if document is None or declared is None:
        return parent_targets
    kept, sure = [], isinstance(declared, SequenceNode)
    for target in get_text_scalars(declared):
        if not isinstance(declared, SequenceNode) and target.value not in parent_targets.names:
            continue  # that it is no list has been told
        if not is_valid_name(str(target.value)):
            sure = False  # told by the schema
        elif target.value in parent_targets.names:
            kept.append(str(target.value))
        else:
            environment = environments.get(str(target.value))
            sure = False
            if parent_targets.is_reliable or environment is None or environment.abstract:
                diags.add(
                    _target_finding(document.span(target), str(target.value), parent_targets, environments, owner)
                )
    return Targets(tuple(sorted(kept)), document.span(declared), sure)


def _target_finding(
    place: Span, name: str, parent_targets: Targets, environments: Mapping[str, Environment], owner: str
) -> Diagnostic:
    environment = environments.get(name)
    related: tuple[RelatedSpan, ...] = ()
    if environment is None:
        code, message = "ET301", f"{owner} targets '{name}', which is no environment"
        hint = did_you_mean(name, [one for one, known in environments.items() if not known.abstract])
        hint = hint or f"there is none yet: add 'environments/{name}.yaml'"
    elif environment.abstract:
        code, message = "ET305", f"{owner} targets '{name}', which is abstract"
        heirs = sorted(one for one in parent_targets.names if name in environments[one].lineage)
        hint = (
            f"target an environment that inherits it: {', '.join(heirs)}" if heirs else "nothing inherits it: remove it"
        )
        declared = environment.document.key_span(environment.document.root, "abstract")
        related = (RelatedSpan(declared, "it is abstract"),)
    else:
        code, message = "ET304", f"{owner} targets '{name}', which the level above does not"
        hint, related = "remove it here, or add it to the targets above", parent_targets.related("the targets above")
    return Diagnostic(place, code, message, hint, related, "targets")
