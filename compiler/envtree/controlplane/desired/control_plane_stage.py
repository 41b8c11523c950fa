"""The stage of a run that builds the control plane's resources and their files.

Few trees need it, so its parts are imported when it runs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from envtree.engine.request import BundleResult
from envtree.model.artifact import Artifact
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import ExternalValues
from envtree.model.resource import Resources
from envtree.model.workspace import Organization, Workspace

if TYPE_CHECKING:
    from envtree.controlplane.desired.desired_resource import DesiredResource


class ControlPlaneStage:
    """The `WholeTreeStage` of Kubiya."""

    def build(
        self,
        workspace: Workspace,
        resources: Resources,
        results: Sequence[BundleResult],
        external_values: ExternalValues,
        diags: Diagnostics,
    ) -> "tuple[DesiredResource, ...]":
        """Return the resources that the control plane should have."""
        from envtree.controlplane.desired.build_resources import build_desired_resources  # noqa: PLC0415

        return build_desired_resources(workspace, resources, results, external_values, diags)

    def emit(
        self,
        organization: Organization,
        built: "Sequence[DesiredResource]",
        formats: frozenset[str],
        diags: Diagnostics,
    ) -> Artifact:
        """Return the artifact with the files of the resources."""
        from envtree.controlplane.desired.control_plane_artifact import (  # noqa: PLC0415
            build_control_plane_artifact,
        )

        return build_control_plane_artifact(organization, built, formats, diags)


CONTROL_PLANE_STAGE = ControlPlaneStage()
