"""The bundles as the page has them: for each key the number of a value and of a ladder."""

from collections.abc import Iterable, Mapping
from typing import Any

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.keypath import KeyPath
from envtree.model.layers import Stack
from envtree.model.workspace import Workspace
from envtree.output.bundle_cells import Cell, flatten_bundle
from envtree.queries.explain import ExplainedBundle
from envtree.queries.explain.explained_bundle import Explainer
from envtree.queries.explain.merge_replay import MergeSteps
from envtree.report.html.provenance_table import ProvenanceTable
from envtree.report.html.tables import Tables

# The whole tree has one, and no layer can change it.
_EXCLUDED_PATH = ("organization",)


class BundleTable:
    """What is known of each bundle, by id; one that a broken file spoils has no cells."""

    def __init__(self, workspace: Workspace, run: Run, tables: Tables) -> None:
        self._explainer = Explainer(workspace, run.recorded_inputs())
        self._tables = tables
        self._provenance = ProvenanceTable(tables)
        self.entries: dict[str, dict[str, Any]] = {}

    def add_stack(self, stack: Stack) -> None:
        """Note that there is a bundle, and its layers."""
        target = stack.target
        layers = [self._tables.layer(layer) for layer in stack.layers]
        self.entries[target.id] = {
            **target._asdict(),
            "id": target.id,
            "stack": self._tables.stacks.intern(tuple(layers), layers),
        }

    def add_result(self, result: BundleResult, steps: MergeSteps) -> None:
        """Note the cells of a bundle."""
        bundle = result.bundle
        explained = self._explainer.explain_steps(bundle, steps)
        found = flatten_bundle(bundle, explained.secret_variables)
        found.pop(_EXCLUDED_PATH, None)
        ladders = {path: self._provenance.intern(explained, path, cell) for path, cell in found.items()}
        rows = [self._tables.row(path) for path in found]
        self.entries[bundle.target.id] |= {
            "shape": self._tables.shapes.intern(tuple(rows), rows),
            "cells": [self._tables.cell(cell, ladders[path]) for path, cell in found.items()],
            "facts": self._fact_lines(explained, found, ladders.values()),
        }

    def _fact_lines(self, bundle: ExplainedBundle, found: Mapping[KeyPath, Cell], ladders: Iterable[int]) -> list[int]:
        """What the values are computed from beside other cells, as lines."""
        read = dict.fromkeys(key for ladder in set(ladders) for key in self._provenance.reads(ladder))
        if not read:
            return []
        known = set(map(self._tables.key, found))
        lines = self._provenance.lines(bundle, sorted(read.keys() - known))
        return [self._tables.line(line) for line in lines if line.key not in known]
