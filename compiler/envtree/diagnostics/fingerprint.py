"""What a finding is known by from one run to the next, wherever its line moves: code, file, key and words."""

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256

from envtree.diagnostics.findings import Finding


def fingerprint_findings(findings: Iterable[Finding]) -> Iterator[tuple[Finding, str]]:
    """The findings with their fingerprints; several that are alike are told apart by their order."""
    seen: Counter[str] = Counter()
    for finding in findings:
        one = finding.diagnostic
        what = "\0".join((one.code, one.span.path, one.key, one.message))
        seen[what] += 1
        # Half a surrogate pair, as a name on disk may hold, counts like any other character.
        yield finding, sha256(f"{what}\0{seen[what]}".encode("utf-8", "surrogatepass")).hexdigest()
