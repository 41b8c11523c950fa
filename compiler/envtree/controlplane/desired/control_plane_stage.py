"""The stage of a run that builds the control plane's resources and their files."""

import hashlib
from collections.abc import Sequence

from envtree.controlplane.desired.desired_resource import DesiredResource
from envtree.controlplane.desired.terraform_provider import render_terraform
from envtree.controlplane.desired.to_json import resources_to_json
from envtree.engine.request import BundleResult
from envtree.model.artifact import WHOLE_TREE_FOLDER, Artifact
from envtree.model.canonical_json import encode_canonical
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import ExternalValues
from envtree.model.resource import Resources
from envtree.model.workspace import Organization, Workspace


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


class ControlPlaneStage:
    """The `WholeTreeStage` of Kubiya."""

    def build(
        self,
        workspace: Workspace,
        resources: Resources,
        results: Sequence[BundleResult],
        external_values: ExternalValues,
        diags: Diagnostics,
    ) -> tuple[DesiredResource, ...]:
        """Return the resources that the control plane should have."""
        # Imported late, because few trees need it.
        from envtree.controlplane.desired.build_resources import build_desired_resources  # noqa: PLC0415

        return build_desired_resources(workspace, resources, results, external_values, diags)

    def emit(
        self, organization: Organization, built: Sequence[DesiredResource], formats: frozenset[str], diags: Diagnostics
    ) -> Artifact:
        """Return the artifact with the files of the resources."""
        return build_control_plane_artifact(organization, built, formats, diags)


CONTROL_PLANE_STAGE = ControlPlaneStage()
