"""The files of the resources, in a folder of their own beside those of the bundles."""

import hashlib
from collections.abc import Sequence

from envtree.controlplane.desired.desired import Desired
from envtree.controlplane.desired.terraform import terraform
from envtree.controlplane.desired.to_json import document
from envtree.model.artifact import WHOLE_FOLDER, Artifact
from envtree.model.canonical_json import canonical
from envtree.model.diagnostic import Diagnostics
from envtree.model.workspace import Organization


def whole(
    organization: Organization, resources: Sequence[Desired], formats: frozenset[str], diags: Diagnostics
) -> Artifact:
    """One artifact for all formats that are wanted; what a format cannot say is reported."""
    data = canonical(document(str(organization.fields["name"]), resources))
    files = [("kubiya.json", data)] if "kubiya" in formats else []
    if "kubiya-terraform" in formats:
        files.append(("kubiya.tf.json", canonical(terraform(resources, organization.control_plane.source, diags))))
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Artifact("", WHOLE_FOLDER, digest, tuple(files))
