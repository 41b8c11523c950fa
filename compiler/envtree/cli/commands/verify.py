"""`envtree verify`: an output held against its manifest, its receipt against a repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import err, out
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import usage_error
from envtree.delivery.verify import Problem, Verdict, verify
from envtree.model.canonical_json import canonical
from envtree.report.verify import conclusion, verify_data, verify_text
from envtree.system.disk import MANIFEST

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


class Options(NamedTuple):
    """The command line."""

    directory: Path
    source: Path
    expect: str | None
    repository: Path | None
    form: str


def run(options: Options) -> Exit:
    """Look at all files, and tell what was found."""
    if options.expect is not None and not _DIGEST.fullmatch(options.expect):
        raise usage_error(f"'{options.expect}' is no digest", "write sha256: and 64 digits, as 'verify' tells them")
    verdict = verify(options.source)
    verdict = verdict._replace(problems=(*verdict.problems, *_from_outside(verdict, options)))
    if options.form == "json":
        out(canonical(verify_data(verdict)))
    else:
        out(verify_text(verdict))
        err(f"{conclusion(verdict)}\n")
    return Exit.FOUND if verdict.problems else Exit.OK


def _from_outside(verdict: Verdict, options: Options) -> Iterator[Problem]:
    """What is wrong by what somebody else knows."""
    if options.expect and options.expect.removeprefix("sha256:") != verdict.digest.removeprefix("sha256:"):
        yield Problem(MANIFEST, "manifest", "", "it is not the one that was expected")
    if options.repository:
        from envtree.delivery.verify.source import sources  # noqa: PLC0415 -- it brings the whole compiler

        yield from sources(verdict.manifest.receipt, options.repository)
