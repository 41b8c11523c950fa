"""List the files of a tree that a bundle is made of."""

from collections.abc import Iterator

from envtree.compile.layer import layer
from envtree.engine.run import Run
from envtree.model.selector import compile_selector
from envtree.model.source import Kind

# Paths with the SHA-256 of their content: the layers in order, the policies that select the bundle, and the templates.
BundleFiles = tuple[tuple[str, str], ...]


def list_bundle_files(run: Run) -> Iterator[tuple[str, BundleFiles]]:
    """Yield all bundles of a tree by id, selected or not, each with its files; no value is computed."""
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
        layer_paths = (
            path for layer in stack.layers for path in (layer.path, layer.secrets.path if layer.secrets else "")
        )
        policy_paths = (path for selects, path in policies if selects(id))
        paths = (path for path in (*layer_paths, *policy_paths) if path)
        yield id, (*((path, digests.get(path, "")) for path in paths), *templates)
