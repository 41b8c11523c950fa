"""Check resolved bundles: the shape of computed values, variable contracts, the organization's policies."""

from envtree.compile.bundle_lint.bundle_policies import BundlePolicies
from envtree.compile.bundle_lint.mcp_servers import check_mcp_servers
from envtree.compile.bundle_lint.model import check_model
from envtree.compile.bundle_lint.runtime import check_runtime
from envtree.compile.bundle_lint.value_shape import check_shape
from envtree.compile.bundle_lint.variable_contracts import VariableContracts
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import Bundle, Resolved
from envtree.model.workspace import Workspace


class BundleLintRules:
    """What is checked in every bundle; made once a run, for contracts are compiled in it."""

    def __init__(self, workspace: Workspace, policies: BundlePolicies) -> None:
        self.contracts, self.policies = VariableContracts(workspace), policies


def bundle_lint(resolved: Resolved, bundle: Bundle, rules: BundleLintRules, diags: Diagnostics) -> None:
    """Report what is wrong with one bundle."""
    check_model(resolved, diags)
    check_runtime(resolved, diags)
    check_shape(resolved, diags)
    check_mcp_servers(resolved, diags)
    rules.contracts.check(resolved, diags)
    rules.policies.check(resolved, bundle, diags)


__all__ = ["BundleLintRules", "BundlePolicies", "bundle_lint"]
