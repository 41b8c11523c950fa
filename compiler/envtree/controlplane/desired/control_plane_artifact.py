"""The files of the control plane's resources, in a folder of their own beside those of the bundles."""

import hashlib
from collections.abc import Sequence

from envtree.controlplane.desired.desired_resource import DesiredResource
from envtree.controlplane.desired.terraform_provider import render_terraform
from envtree.controlplane.desired.to_json import resources_to_json
from envtree.model.artifact import WHOLE_TREE_FOLDER, Artifact
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import Diagnostics
from envtree.model.workspace import Organization


def build_control_plane_artifact(
    organization: Organization, resources: Sequence[DesiredResource], formats: frozenset[str], diags: Diagnostics
) -> Artifact:
    """Return one artifact with all requested formats; report what a format cannot express."""
    data = encode_canonical(resources_to_json(str(organization.fields["name"]), resources))
    files = [("kubiya.json", data)] if "kubiya" in formats else []
    if "kubiya-terraform" in formats:
        files.append(
            (
                "kubiya.tf.json",
                encode_canonical(render_terraform(resources, organization.control_plane.provider_source, diags)),
            )
        )
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Artifact("", WHOLE_TREE_FOLDER, digest, tuple(files))
