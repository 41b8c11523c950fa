"""The resources of the control plane as a stage of a run; what it takes is imported when a tree is for one."""

from collections.abc import Sequence

from envtree.controlplane.desired.desired_resource import DesiredResource
from envtree.engine.request import BundleResult
from envtree.model.artifact import Artifact
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import ExternalValues
from envtree.model.resource import Resources
from envtree.model.workspace import Organization, Workspace


class ControlPlaneStage:
    """`WholeTreeStage` for Kubiya."""

    def build(
        self,
        workspace: Workspace,
        resources: Resources,
        results: Sequence[BundleResult],
        external_values: ExternalValues,
        diags: Diagnostics,
    ) -> tuple[DesiredResource, ...]:
        """The resources that the control plane should have."""
        from envtree.controlplane.desired.build_resources import build_desired_resources  # noqa: PLC0415 -- see above

        return build_desired_resources(workspace, resources, results, external_values, diags)

    def emit(
        self, organization: Organization, built: Sequence[DesiredResource], formats: frozenset[str], diags: Diagnostics
    ) -> Artifact:
        """The files of the resources."""
        from envtree.controlplane.desired.control_plane_artifact import build_control_plane_artifact  # noqa: PLC0415

        return build_control_plane_artifact(organization, built, formats, diags)


CONTROL_PLANE_STAGE = ControlPlaneStage()
