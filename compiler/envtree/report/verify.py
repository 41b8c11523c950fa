"""The verdict on an output since it was compiled, for people and as JSON data."""

from typing import Any

from envtree.delivery.verify import VerificationResult
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import plural
from envtree.model.artifact import Receipt


def verdict_to_json(verdict: VerificationResult) -> dict[str, Any]:
    """Return the verdict as JSON data."""
    manifest = verdict.manifest
    return {
        "envtree": "1",
        "edition": manifest.edition,
        "mode": manifest.mode,
        "manifest": verdict.digest,
        "bundles": len(manifest.bundles),
        "touched": list(verdict.changed_bundles),
        "problems": [problem._asdict() | {"bundle": problem.bundle or None} for problem in verdict.problems],
        "receipt": manifest.receipt._asdict() if manifest.receipt else None,
    }


def render_verdict(verdict: VerificationResult) -> str:
    """Return a line for each problem, and the origin of the output."""
    lines = [
        f"{problem.path}: {problem.message}{f' (bundle {problem.bundle})' if problem.bundle else ''}"
        for problem in verdict.problems
    ]
    lines.append(f"manifest {verdict.digest}")
    lines.append(_receipt_sentence(verdict.manifest.receipt))
    return "".join(f"{printable(line)}\n" for line in lines)


def verdict_summary(verdict: VerificationResult) -> str:
    """Return the verdict as one sentence."""
    bundles = plural(len(verdict.manifest.bundles), "bundle")
    if not verdict.problems:
        return f"{bundles}, all as they were compiled"
    if not verdict.changed_bundles:
        return f"{bundles}, and {plural(len(verdict.problems), 'problem')}"
    return f"{len(verdict.changed_bundles)} of {bundles} not as compiled"


def _receipt_sentence(receipt: Receipt | None) -> str:
    if receipt is None:
        return "no receipt: 'compile --receipt' writes one"
    origin = f"by envtree {receipt.version} from {plural(len(receipt.files), 'file')}"
    if receipt.commit is None:
        return f"built {origin}, in no git repository"
    state = "tree clean" if receipt.clean else "with changes that were not committed"
    return f"built {origin} at commit {receipt.commit}, {state}"
