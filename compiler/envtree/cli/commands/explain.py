"""`envtree explain`: where the values of one bundle come from, on stdout."""

import sys
from pathlib import Path
from typing import NamedTuple

from envtree.cli.support.console import colored, out, painted
from envtree.cli.support.exits import Exit
from envtree.cli.support.options import is_text, usage_error
from envtree.cli.support.session import open_tree
from envtree.cli.support.single import single
from envtree.diagnostics.printable_documents import json_document
from envtree.queries.explain import Explained, KeyMissingError, explain, explained, order, overview
from envtree.queries.explain.model import Ladder
from envtree.queries.explain.to_json import ladder_data, order_data, overview_data
from envtree.report.ladder import ladder_text, order_text, overview_text


class Options(NamedTuple):
    """The command line."""

    directory: Path
    id: str
    key: str | None
    layers: bool
    form: str
    inputs: dict[str, str]
    color: str


def run(options: Options) -> Exit:
    """Explain one bundle, or tell what keeps it from being known."""
    if options.layers and options.key is not None:
        raise usage_error("--layers is about the whole bundle", "leave out the key")
    tree = open_tree(options.directory)
    found = single(tree, options.id, options.inputs, reveal=False)
    if found.result is None or found.work.workspace is None:
        return found.tell(options.color)
    _answer(explained(found.work.workspace, found.result, found.work.inputs_read()), options)
    return Exit.OK


def _answer(bundle: Explained, options: Options) -> None:
    for_people, color = options.form == "text", colored(sys.stdout, options.color)
    if options.layers:
        steps = order(bundle)
        _say(order_text(steps) if for_people else json_document(order_data(options.id, steps)))
    elif options.key is None:
        lines = overview(bundle)
        _say(overview_text(lines, color=color) if for_people else json_document(overview_data(options.id, lines)))
    else:
        ladder = _ladder(bundle, options.key)
        text = ladder_text(options.id, ladder, color=color)
        _say(text if for_people else json_document(ladder_data(options.id, ladder)))


def _ladder(bundle: Explained, key: str) -> Ladder:
    if not is_text(key):
        raise usage_error("a key is text in UTF-8", "write a variable, or a path such as config.limits.cpu")
    try:
        return explain(bundle, key)
    except KeyMissingError as missing:
        deleted = f"it is deleted at {', '.join(missing.deleted)}" if missing.deleted else ""
        meant = f"did you mean '{missing.meant}'?" if missing.meant else ""
        hint = "; ".join(filter(None, (deleted, meant))) or "leave out the key to see all keys"
        raise usage_error(f"there is no '{missing.key}' in this bundle", hint) from None


def _say(answer: str | bytes) -> None:
    if isinstance(answer, bytes):
        out(answer)
    else:
        painted(sys.stdout, answer)
