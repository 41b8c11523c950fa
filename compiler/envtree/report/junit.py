"""Findings as JUnit XML: a test case each, a failure if the finding fails the run."""

from collections.abc import Iterable
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable_documents import xml_document
from envtree.diagnostics.summary import finding_sentences, repository_path
from envtree.model.diagnostic import Severity, failing_severities
from envtree.model.tree_layout import ROOT_FILE, escape_unprintable


def render_junit(findings: Iterable[Finding], prefix: str, *, strict: bool = False) -> bytes:
    """Return one suite for each file, one case for each finding; a run without findings is one passing case."""
    fatal = failing_severities(strict=strict)
    root = Element("testsuites", name="envtree")
    for path, group in groupby(findings, lambda finding: finding.diagnostic.span.path or ROOT_FILE):
        _add_suite(root, escape_unprintable(repository_path(prefix, path)), list(group), fatal)
    if not len(root):
        suite = SubElement(root, "testsuite", name="envtree", tests="1", failures="0", errors="0", skipped="0")
        SubElement(suite, "testcase", name="no findings", classname="envtree")
    for count in ("tests", "failures"):
        root.set(count, str(sum(int(suite.attrib[count]) for suite in root)))
    indent(root)
    return xml_document(tostring(root, encoding="unicode"))


def _add_suite(root: Element, path: str, findings: list[Finding], fatal: frozenset[Severity]) -> None:
    failures = sum(finding.severity in fatal for finding in findings)
    counts = {"tests": len(findings), "failures": failures, "errors": 0, "skipped": 0}
    suite = SubElement(root, "testsuite", {"name": path, **{name: str(count) for name, count in counts.items()}})
    for finding in findings:
        _add_case(suite, path, finding, failed=finding.severity in fatal)


def _add_case(suite: Element, path: str, finding: Finding, *, failed: bool) -> None:
    diagnostic = finding.diagnostic
    location = f"{path}:{diagnostic.span.line}:{diagnostic.span.column}"
    case = SubElement(suite, "testcase", name=f"{diagnostic.code} {location}", classname=path)
    message, *rest = finding_sentences(finding)
    text = "\n".join(map(escape_unprintable, (f"{location}: {finding.severity} {diagnostic.code}: {message}", *rest)))
    if failed:
        attributes = {"type": diagnostic.code, "message": escape_unprintable(message)}
        SubElement(case, "failure", attributes).text = text
    else:
        SubElement(case, "system-out").text = text
