"""What the control plane should have: the tree as the resources of Kubiya's API, symbolic and without a request.

`desired` has the data and the order, `document` its JSON. `payloads` makes it from a workspace and its bundles, and
after the last bundle of a run that has `Request.control_plane`, or whose organization asks for it, it is `Run.desired`.
`server_view` is what the server will make of it, `differences` where that is not what the bundles say, `terraform` the
same resources for its provider. Nothing in here opens
a socket or knows a value of a secret: whoever talks to a server imports this package, and is imported by nothing in it.
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
