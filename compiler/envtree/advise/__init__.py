"""The stage that looks at the tree as a whole: what could be said once, is never used, or belongs to nobody."""

from envtree.advise.contracts import check_contracts
from envtree.advise.owners import check_owners
from envtree.advise.repeats import check_repeats
from envtree.diagnostic import Diagnostics
from envtree.workspace import Workspace


def advise(workspace: Workspace, diags: Diagnostics) -> None:
    """Report what a reviewer of the whole tree would."""
    check_owners(workspace, diags)
    check_contracts(workspace, diags)
    check_repeats(workspace, diags)


__all__ = ["advise"]
