"""Check resolved bundles: the shape of computed values, variable contracts, the organization's policies."""

from envtree.diagnostic import Diagnostics
from envtree.lint.contracts import Contracts
from envtree.lint.model import check_model
from envtree.lint.policies import Policies
from envtree.lint.runtime import check_runtime
from envtree.lint.servers import check_servers
from envtree.lint.shape import check_shape
from envtree.resolved import Bundle, Resolved
from envtree.workspace import Workspace


class Rules:
    """What is checked in every bundle; made once a run, for contracts are compiled in it."""

    def __init__(self, workspace: Workspace, policies: Policies) -> None:
        self.contracts, self.policies = Contracts(workspace), policies


def lint(resolved: Resolved, bundle: Bundle, rules: Rules, diags: Diagnostics) -> None:
    """Report what is wrong with one bundle."""
    check_model(resolved, diags)
    check_runtime(resolved, diags)
    check_shape(resolved, diags)
    check_servers(resolved, diags)
    rules.contracts.check(resolved, diags)
    rules.policies.check(resolved, bundle, diags)


__all__ = ["Policies", "Rules", "lint"]
