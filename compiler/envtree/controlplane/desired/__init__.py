"""The desired state of the control plane: the tree as resources of Kubiya's API, with symbolic references to ids.

In: a linked workspace with its bundles (`build_resources`). Out: resources (`desired_resource`), as JSON (`to_json`)
or for Terraform's provider (`terraform_provider`). `control_plane_stage` runs this after the last bundle of a run with
`Request.control_plane`, or of an organization that asks for it. `server_view` computes the environment that the server
will make of the resources, `server_differences` reports where that differs from the bundles. This package opens no
socket, contains no value of a secret, and imports nothing that makes requests.
"""

from envtree.controlplane.desired.desired_resource import (
    RESOURCE_KINDS,
    DesiredLink,
    DesiredResource,
    ResourceRef,
    iter_refs,
    substitute_refs,
)

__all__ = ["RESOURCE_KINDS", "DesiredLink", "DesiredResource", "ResourceRef", "iter_refs", "substitute_refs"]
