"""Declaration of `envtree compile`."""

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
    output_format,
)
from envtree.model.formats import FORMAT_NAMES


def _parse_shard(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", value)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter("write K/N, such as 1/4, with K from 1 to N")
    return int(match[1]), int(match[2])


command = Command(
    "compile",
    [
        SELECTORS,
        option(
            "-o",
            "--output",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="The folder to write to; default: that of organization.yaml, else 'out' in the tree.",
        ),
        option(
            "--archive",
            metavar="FILE",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Pack the bundles into FILE, a reproducible .tar.zst or .zip; without -o, write no folder. "
            "With {project} in its path, write one archive for each project.",
        ),
        option(
            "--split",
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Write the secrets to DIR, separately, and everything else as '--secrets ref' does.",
        ),
        option(
            "--receipt",
            is_flag=True,
            help="Record in the manifest the commit and files that the bundles are made from; 'verify' shows them.",
        ),
        choice(
            "--secrets",
            values=("plain", "ref", "seal"),
            help="Write secrets in clear, as references (needs no key), or encrypted for their readers; default: as "
            "organization.yaml says, else plain.",
        ),
        choice(
            "--format",
            "formats",
            values=FORMAT_NAMES,
            multiple=True,
            help="A format to write besides bundle.json; may be repeated; default: those of organization.yaml, else "
            "compose, which is '.env'.",
        ),
        output_format(
            "text",
            "concise",
            "json",
            "github",
            earlier_name="--messages",
            default=None,
            help="The format of the findings; default: text, or github in GitHub Actions.",
        ),
        option(
            "--provenance",
            is_flag=True,
            help="Also write provenance.json with the origin of each value; it contains no secrets.",
        ),
        option(
            "--check",
            "only_check",
            is_flag=True,
            help="Write nothing; fail if files of the output would change, and list them.",
        ),
        option(
            "--shard",
            metavar="K/N",
            callback=_parse_shard,
            help="Compile only part K of N, made of whole projects; all N parts are what one run would write.",
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
            help="Read every file of an earlier output before reusing it; default: only files with newer timestamps, "
            "and of a large output only the manifest.",
        ),
        COLOR,
        VERBOSE,
    ],
    """Compile the bundles and write all of them, or none.

    After any error the output is unchanged. SELECTOR is a glob over bundle ids; bundles that it does not select are
    neither replaced nor removed. With --output-format json, stdout is always one JSON object, except after a usage
    error.
    """,
    "envtree compile --secrets ref -o out",
    can_replay=lambda params: (
        not any(params[name] for name in ("archive", "split", "receipt", "provenance", "only_check", "shard", "since"))
    ),
)
