"""Targets: the environments that something is compiled for, each level a subset of the one above."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.diagnostics.suggest import did_you_mean
from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.fields import field, texts
from envtree.model.nodes import Document, Sequence
from envtree.model.span import Span
from envtree.model.tree_layout import is_name
from envtree.model.workspace import Environment


class Targets(NamedTuple):
    """The environments of a level; `span` is the list that names them, None where none does.

    They are not `sure` where a name was wrong: what is missing then follows from that, and is no second mistake.
    """

    names: tuple[str, ...]
    span: Span | None = None
    sure: bool = True

    def related(self, words: str) -> tuple[Related, ...]:
        """The list as the other place of a finding."""
        return (Related(self.span, f"{words}: {', '.join(self.names) or 'none'}"),) if self.span else ()


def default_targets(environments: Mapping[str, Environment]) -> Targets:
    """Every environment that is not abstract."""
    return Targets(tuple(sorted(name for name, environment in environments.items() if not environment.abstract)))


def narrow(
    document: Document | None,
    above: Targets,
    environments: Mapping[str, Environment],
    owner: str,
    diags: Diagnostics,
) -> Targets:
    """The declared targets of a file, or those above it; `owner` names it in messages."""
    declared = field(document, "targets")
    if document is None or declared is None:
        return above
    kept, sure = [], isinstance(declared, Sequence)
    for target in texts(declared):
        if not isinstance(declared, Sequence) and target.value not in above.names:
            continue  # that it is no list has been told
        if not is_name(str(target.value)):
            sure = False  # told by the schema
        elif target.value in above.names:
            kept.append(str(target.value))
        else:
            environment = environments.get(str(target.value))
            sure = False
            if above.sure or environment is None or environment.abstract:
                diags.add(_wrong(document.span(target), str(target.value), above, environments, owner))
    return Targets(tuple(sorted(kept)), document.span(declared), sure)


def _wrong(place: Span, name: str, above: Targets, environments: Mapping[str, Environment], owner: str) -> Diagnostic:
    environment = environments.get(name)
    related: tuple[Related, ...] = ()
    if environment is None:
        code, message = "ET301", f"{owner} targets '{name}', which is no environment"
        hint = did_you_mean(name, [one for one, known in environments.items() if not known.abstract])
        hint = hint or f"there is none yet: add 'environments/{name}.yaml'"
    elif environment.abstract:
        code, message = "ET305", f"{owner} targets '{name}', which is abstract"
        heirs = sorted(one for one in above.names if name in environments[one].order)
        hint = (
            f"target an environment that inherits it: {', '.join(heirs)}" if heirs else "nothing inherits it: remove it"
        )
        declared = environment.document.key_span(environment.document.root, "abstract")
        related = (Related(declared, "it is abstract"),)
    else:
        code, message = "ET304", f"{owner} targets '{name}', which the level above does not"
        hint, related = "remove it here, or add it to the targets above", above.related("the targets above")
    return Diagnostic(place, code, message, hint, related, "targets")
