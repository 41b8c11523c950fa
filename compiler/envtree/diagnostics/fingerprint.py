"""Fingerprints of findings, stable between runs: computed from code, file, key and message, not from the line."""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256

from envtree.diagnostics.findings import Finding


def fingerprint_findings(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """Yield the findings with their fingerprints; the order distinguishes findings with equal content."""
    counts: Counter[str] = Counter()
    for finding in findings:
        diagnostic = finding.diagnostic
        identity = "\0".join((diagnostic.code, diagnostic.span.path, diagnostic.key, diagnostic.message))
        counts[identity] += 1
        # A file name may contain lone surrogates.
        yield finding, sha256(f"{identity}\0{counts[identity]}".encode("utf-8", "surrogatepass")).hexdigest()
