"""The stage that looks at the tree as a whole: what could be said once, is never used, or belongs to nobody."""

from envtree.compile.tree_lint.duplicate_values import check_duplicate_values
from envtree.compile.tree_lint.owners import check_owners
from envtree.compile.tree_lint.unset_variables import check_unset_variables
from envtree.model.diagnostic import Diagnostics
from envtree.model.workspace import Workspace


def tree_lint(workspace: Workspace, diags: Diagnostics) -> None:
    """Report what a reviewer of the whole tree would."""
    check_owners(workspace, diags)
    check_unset_variables(workspace, diags)
    check_duplicate_values(workspace, diags)


__all__ = ["tree_lint"]
