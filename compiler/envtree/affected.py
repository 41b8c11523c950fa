"""Which bundles two trees may have different: told by their files alone, so none is missed and nothing is computed."""

from collections.abc import Iterator

from envtree.layer import layer
from envtree.pipeline import Run
from envtree.selector import selector
from envtree.source import Kind

# The files that a bundle is made of, in the order of its layers, those that judge it, and the templates that it is
# written with, each with its content.
_Footprint = tuple[tuple[str, str], ...]


def affected(base: Run, head: Run) -> frozenset[str]:
    """The ids of both trees whose files differ in any way, or that only one of the trees has."""
    before, after = dict(_footprints(base)), dict(_footprints(head))
    return frozenset(id for id in before.keys() | after.keys() if before.get(id) != after.get(id))


def _footprints(run: Run) -> Iterator[tuple[str, _Footprint]]:
    workspace = run.workspace
    if workspace is None:
        return
    digests = {path: resource.document.digest for path, resource in run.files.items()}
    policies = [
        (selector(policy.selectors), path)
        for policy in workspace.policies
        for path, resource in run.files.items()
        if resource.location.kind is Kind.POLICY and resource.location.name == policy.name
    ]
    templates = run.template_digests()
    for stack in layer(workspace, lambda id: True):
        id = stack.target.id
        layers = (path for one in stack.layers for path in (one.path, one.secrets.path if one.secrets else ""))
        judging = (path for selects, path in policies if selects(id))
        yield id, (*((path, digests.get(path, "")) for path in (*layers, *judging) if path), *templates)
