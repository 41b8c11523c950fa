"""Implementation of `envtree verify`: compare an output with its manifest, and its receipt with a repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.exits import ExitCode
from envtree.cli.support.options import usage_error
from envtree.delivery.verify import Problem, VerificationResult, verify
from envtree.model.canonical_json import encode_canonical
from envtree.report.verify import render_verdict, verdict_summary, verdict_to_json
from envtree.system.console import err, out
from envtree.system.disk import MANIFEST_FILE

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


class VerifyOptions(NamedTuple):
    """The parameters of the command."""

    directory: Path
    source: Path
    expect: str | None
    repository: Path | None
    form: str


def run(options: VerifyOptions) -> ExitCode:
    """Verify all files and report the problems."""
    if options.expect is not None and not _DIGEST.fullmatch(options.expect):
        raise usage_error(f"'{options.expect}' is no digest", "write sha256: and 64 digits, as 'verify' tells them")
    verdict = verify(options.source)
    verdict = verdict._replace(problems=(*verdict.problems, *_external_problems(verdict, options)))
    if options.form == "json":
        out(encode_canonical(verdict_to_json(verdict)))
    else:
        out(render_verdict(verdict))
        err(f"{verdict_summary(verdict)}\n")
    return ExitCode.FAILURE if verdict.problems else ExitCode.OK


def _external_problems(verdict: VerificationResult, options: VerifyOptions) -> Iterator[Problem]:
    """Yield the differences from the expected digest and from the repository."""
    if options.expect and options.expect.removeprefix("sha256:") != verdict.digest.removeprefix("sha256:"):
        yield Problem(MANIFEST_FILE, "manifest", "", "it is not the one that was expected")
    if options.repository:
        from envtree.delivery.verify.receipt_check import check_receipt  # noqa: PLC0415 -- it imports the whole compiler

        yield from check_receipt(verdict.manifest.receipt, options.repository)
