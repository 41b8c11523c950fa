"""Which files of a tree a bundle is made of."""

from collections.abc import Iterator

from envtree.compile.layer import layer
from envtree.engine.run import Run
from envtree.model.selector import compile_selector
from envtree.model.source import Kind

# Paths in the order of the layers, then those that judge the bundle, and the templates that it is written with, each
# with the SHA-256 of its content.
BundleFiles = tuple[tuple[str, str], ...]


def list_bundle_files(run: Run) -> Iterator[tuple[str, BundleFiles]]:
    """All bundles of a tree by id, selected or not, each with its files; nothing is computed."""
    workspace = run.workspace
    if workspace is None:
        return
    digests = {path: resource.document.digest for path, resource in run.all_files.items()}
    policies = [
        (compile_selector(policy.selectors), path)
        for policy in workspace.policies
        for path, resource in run.all_files.items()
        if resource.location.kind is Kind.POLICY and resource.location.name == policy.name
    ]
    templates = run.template_digests()
    for stack in layer(workspace, lambda id: True):
        id = stack.target.id
        layers = (path for one in stack.layers for path in (one.path, one.secrets.path if one.secrets else ""))
        judging = (path for selects, path in policies if selects(id))
        yield id, (*((path, digests.get(path, "")) for path in (*layers, *judging) if path), *templates)
