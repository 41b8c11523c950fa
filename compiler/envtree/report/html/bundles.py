"""The bundles as the page has them: for each key the number of a value and of a ladder."""

from collections.abc import Iterable, Mapping
from typing import Any

from envtree.engine.run import Result, Run
from envtree.model.keypath import KeyPath
from envtree.model.layers import Stack
from envtree.model.workspace import Workspace
from envtree.output.bundle_cells import Cell, cells
from envtree.queries.explain import Explained
from envtree.queries.explain.bundle import Explainer
from envtree.queries.explain.replay import Steps
from envtree.report.html.ladders import Ladders
from envtree.report.html.tables import Tables

# The whole tree has one, and no layer can change it.
_ASIDE = ("organization",)


class Bundles:
    """What is known of each bundle, by id; one that a broken file spoils has no cells."""

    def __init__(self, workspace: Workspace, run: Run, tables: Tables) -> None:
        self._explainer = Explainer(workspace, run.inputs_read())
        self._tables = tables
        self._ladders = Ladders(tables)
        self.known: dict[str, dict[str, Any]] = {}

    def name(self, stack: Stack) -> None:
        """Note that there is a bundle, and its layers."""
        target = stack.target
        layers = [self._tables.layer(layer) for layer in stack.layers]
        self.known[target.id] = {
            **target._asdict(),
            "id": target.id,
            "stack": self._tables.stacks.number(tuple(layers), layers),
        }

    def add(self, result: Result, steps: Steps) -> None:
        """Note the cells of a bundle."""
        bundle = result.bundle
        explained = self._explainer.explained(bundle, steps)
        found = cells(bundle, explained.secretive)
        found.pop(_ASIDE, None)
        ladders = {path: self._ladders.number(explained, path, cell) for path, cell in found.items()}
        rows = [self._tables.row(path) for path in found]
        self.known[bundle.target.id] |= {
            "shape": self._tables.shapes.number(tuple(rows), rows),
            "cells": [self._tables.cell(cell, ladders[path]) for path, cell in found.items()],
            "facts": self._facts(explained, found, ladders.values()),
        }

    def _facts(self, bundle: Explained, found: Mapping[KeyPath, Cell], ladders: Iterable[int]) -> list[int]:
        """What the values are computed from beside other cells, as lines."""
        read = dict.fromkeys(key for ladder in set(ladders) for key in self._ladders.reads(ladder))
        if not read:
            return []
        known = set(map(self._tables.key, found))
        lines = self._ladders.lines(bundle, sorted(read.keys() - known))
        return [self._tables.line(line) for line in lines if line.key not in known]
