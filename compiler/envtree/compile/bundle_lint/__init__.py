"""Check resolved bundles: the shape of computed values, variable contracts, the organization's policies."""

from envtree.compile.bundle_lint.contracts import Contracts
from envtree.compile.bundle_lint.model import check_model
from envtree.compile.bundle_lint.policies import Policies
from envtree.compile.bundle_lint.runtime import check_runtime
from envtree.compile.bundle_lint.servers import check_servers
from envtree.compile.bundle_lint.shape import check_shape
from envtree.model.diagnostic import Diagnostics
from envtree.model.resolved import Bundle, Resolved
from envtree.model.workspace import Workspace


class Rules:
    """What is checked in every bundle; made once a run, for contracts are compiled in it."""

    def __init__(self, workspace: Workspace, policies: Policies) -> None:
        self.contracts, self.policies = Contracts(workspace), policies


def bundle_lint(resolved: Resolved, bundle: Bundle, rules: Rules, diags: Diagnostics) -> None:
    """Report what is wrong with one bundle."""
    check_model(resolved, diags)
    check_runtime(resolved, diags)
    check_shape(resolved, diags)
    check_servers(resolved, diags)
    rules.contracts.check(resolved, diags)
    rules.policies.check(resolved, bundle, diags)


__all__ = ["Policies", "Rules", "bundle_lint"]
