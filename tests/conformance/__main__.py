"""Run the conformance suites: `python -m tests.conformance` for all, `python -m tests.conformance NAME…` for some."""

import argparse
import sys
from collections.abc import Iterator
from functools import partial

from tests.conformance.case import Suite, Verdict, format_case, format_table, run_suite
from tests.conformance.hiera import HIERA
from tests.conformance.json_schema import json_schema, unknown_values
from tests.conformance.json_texts import json_texts
from tests.conformance.kustomize import three_way_tables, two_way_patches
from tests.conformance.layered import HIML, OMEGACONF, RECLASS, merge_table, random_trees
from tests.conformance.merge_patch import merge_patch
from tests.conformance.three_way import three_way_merges
from tests.conformance.yaml_texts import yaml_mutations, yaml_suite

SUITES: dict[str, Suite] = {
    "yaml suite": yaml_suite,
    "yaml mutations": yaml_mutations,
    "json texts": json_texts,
    "json schema": json_schema,
    "json schema, unknowns": unknown_values,
    "rfc 7396": merge_patch,
    "three-way merges": three_way_merges,
    "kustomize": two_way_patches,
    "kustomize, three-way": three_way_tables,
    "himl": partial(random_trees, HIML),
    "himl, types": partial(merge_table, HIML),
    "reclass": partial(random_trees, RECLASS),
    "reclass, types": partial(merge_table, RECLASS),
    "hiera": partial(random_trees, HIERA),
    "hiera, types": partial(merge_table, HIERA),
    "omegaconf": partial(random_trees, OMEGACONF),
    "omegaconf, types": partial(merge_table, OMEGACONF),
}
_MAX_SHOWN = 20


def main() -> None:
    """Print the counts; exit with an error if a difference has no reason, or a reason has no difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*SUITES, []], metavar="NAME", help=", ".join(SUITES))
    parser.add_argument("--reasons", action="store_true", help="also count the cases of each reason")
    options = parser.parse_args()
    verdicts = {name: run_suite(name, SUITES[name]) for name in options.names or SUITES}
    print(*format_table(verdicts), sep="\n")
    if options.reasons:
        print(*(line for name, verdict in verdicts.items() for line in _reasons(name, verdict)), sep="\n")
    lines = [line for name, verdict in verdicts.items() for line in problems(name, verdict)]
    print(*lines, sep="\n")
    sys.exit(bool(lines))


def _reasons(name: str, verdict: Verdict) -> Iterator[str]:
    for reason, count in (verdict.explained + verdict.skipped).most_common():
        yield f"  {name}, {reason}: {count}"


def problems(name: str, verdict: Verdict) -> Iterator[str]:
    """Yield differences without a reason, and reasons without a difference."""
    for case in verdict.wrong[:_MAX_SHOWN]:
        yield f"{name}: {format_case(case)}"
    for reason in verdict.stale:
        yield f"{name}: nothing differs for the reason '{reason}' any more"


if __name__ == "__main__":
    main()
