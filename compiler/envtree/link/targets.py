"""Targets: the environments that something is compiled for, each level a subset of the one above."""

from collections.abc import Mapping

from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.fields import field, texts
from envtree.nearest import did_you_mean
from envtree.node import Document, Scalar
from envtree.workspace import Environment


def default_targets(environments: Mapping[str, Environment]) -> tuple[str, ...]:
    """Every environment that is not abstract."""
    return tuple(sorted(name for name, environment in environments.items() if not environment.abstract))


def narrow(
    document: Document | None,
    above: tuple[str, ...],
    environments: Mapping[str, Environment],
    owner: str,
    diags: Diagnostics,
) -> tuple[str, ...]:
    """The declared targets of a file, or those above it; `owner` names it in messages."""
    declared = field(document, "targets")
    if document is None or declared is None:
        return above
    kept = []
    for target in texts(declared):
        finding = _check(target, above, environments, owner)
        if finding:
            code, message, hint = finding
            diags.add(Diagnostic(document.span(target), code, message, hint, key="targets"))
        else:
            kept.append(str(target.value))
    return tuple(sorted(kept))


def _check(
    target: Scalar, above: tuple[str, ...], environments: Mapping[str, Environment], owner: str
) -> tuple[str, str, str] | None:
    name = str(target.value)
    if name in above:
        return None
    environment = environments.get(name)
    if environment is None:
        return "ET301", f"{owner} targets '{name}', which is no environment", did_you_mean(name, environments)
    if environment.abstract:
        return "ET305", f"{owner} targets '{name}', which is abstract", "target an environment that inherits it"
    wider = f"{owner} targets '{name}', which the level above does not"
    return "ET304", wider, f"the level above targets: {', '.join(above) or 'nothing'}"
