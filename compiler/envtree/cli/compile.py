"""`envtree compile`, declared."""

import re
from pathlib import Path

import click

from envtree.cli.support.options import (
    ALLOW_EMPTY,
    CHANGED_SINCE,
    COLOR,
    INPUTS,
    JOBS,
    NO_CACHE,
    SELECTORS,
    STRICT,
    VERBOSE,
    Command,
    choice,
    option,
)
from envtree.model.formats import FORMAT_NAMES


def _parse_shard(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", value)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise click.BadParameter("write K/N, such as 1/4, with K from 1 to N")
    return int(found[1]), int(found[2])


command = Command(
    "compile",
    [
        SELECTORS,
        option(
            "-o",
            "--output",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Where to write; else what organization.yaml says, else 'out' in the tree.",
        ),
        option(
            "--archive",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Pack the bundles into FILE, a .tar.zst or .zip with the same bytes each time; without -o only there. "
            "With {project} in its path it is one for each project.",
        ),
        option(
            "--split",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write what is secret into DIR, alone, and everything else as '--secrets ref' does.",
        ),
        option(
            "--receipt",
            is_flag=True,
            help="Note in the manifest the commit and the files that the bundles are made from; 'verify' tells it.",
        ),
        choice(
            "--secrets",
            values=("plain", "ref", "seal"),
            help="Write secrets in clear (the default), as references (needs no key), or sealed for their readers.",
        ),
        choice(
            "--format",
            "formats",
            values=FORMAT_NAMES,
            multiple=True,
            help="What to write, may be repeated: bundle.json always; else what organization.yaml says, else compose, "
            "which is '.env'.",
        ),
        choice(
            "--messages",
            "form",
            values=("text", "json", "github"),
            help="The form of the findings; text, or github where GITHUB_ACTIONS is set.",
        ),
        option(
            "--provenance",
            is_flag=True,
            help="Also write provenance.json, which says where each value comes from; there is no secret in it.",
        ),
        option("--check", "only_check", is_flag=True, help="Write nothing; fail if the output differs, and say where."),
        option(
            "--shard",
            "part",
            metavar="K/N",
            callback=_parse_shard,
            help="Only part K of N: whole projects, so that N machines together write what one would.",
        ),
        CHANGED_SINCE,
        STRICT,
        ALLOW_EMPTY,
        INPUTS,
        JOBS,
        NO_CACHE,
        option(
            "--verify-outputs",
            is_flag=True,
            help="Read the files of an earlier run that would be left as they are; without it few large outputs are.",
        ),
        COLOR,
        VERBOSE,
    ],
    """Write the bundles, all of them or none.

    An error anywhere leaves the output as it is. SELECTOR is a glob over bundle ids; what it does not select is
    neither replaced nor removed. With --messages json, stdout is one JSON object whatever happens, unless the command
    line is wrong.
    """,
    "envtree compile --secrets ref -o out",
    can_replay=lambda params: (
        not any(params[name] for name in ("archive", "split", "receipt", "provenance", "only_check", "part", "since"))
    ),
)
