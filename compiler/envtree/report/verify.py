"""What became of an output since it was compiled, for people and for programs."""

from typing import Any

from envtree.delivery.verify import VerificationResult
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.model.artifact import Receipt


def verdict_to_json(verdict: VerificationResult) -> dict[str, Any]:
    """The verdict as JSON data."""
    manifest = verdict.manifest
    return {
        "envtree": "1",
        "edition": manifest.edition,
        "mode": manifest.mode,
        "manifest": verdict.digest,
        "bundles": len(manifest.bundles),
        "touched": list(verdict.changed_bundles),
        "problems": [each._asdict() | {"bundle": each.bundle or None} for each in verdict.problems],
        "receipt": manifest.receipt._asdict() if manifest.receipt else None,
    }


def render_verdict(verdict: VerificationResult) -> str:
    """A line for each thing that is wrong, and where the output comes from."""
    lines = [
        f"{each.path}: {each.message}{f' (bundle {each.bundle})' if each.bundle else ''}" for each in verdict.problems
    ]
    lines.append(f"manifest {verdict.digest}")
    lines.append(_receipt_sentence(verdict.manifest.receipt))
    return "".join(f"{printable(line)}\n" for line in lines)


def verdict_summary(verdict: VerificationResult) -> str:
    """How it stands, in a sentence."""
    bundles = plural(len(verdict.manifest.bundles), "bundle")
    if not verdict.problems:
        return f"{bundles}, all as they were compiled"
    if not verdict.changed_bundles:
        return f"{bundles}, and {plural(len(verdict.problems), 'problem')}"
    return f"{len(verdict.changed_bundles)} of {bundles} not as compiled"


def _receipt_sentence(receipt: Receipt | None) -> str:
    if receipt is None:
        return "no receipt: 'compile --receipt' writes one"
    by = f"by envtree {receipt.version} from {plural(len(receipt.files), 'file')}"
    if receipt.commit is None:
        return f"built {by}, in no git repository"
    state = "tree clean" if receipt.clean else "with changes that were not committed"
    return f"built {by} at commit {receipt.commit}, {state}"
