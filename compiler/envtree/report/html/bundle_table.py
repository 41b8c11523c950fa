"""The bundles in the page's data: for each key the number of its value and of its provenance."""

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

# The whole tree has one organization, and no layer can change it.
_EXCLUDED_PATH = ("organization",)


class BundleTable:
    """The data of each bundle, by id; one with a broken file has no cells."""

    def __init__(self, workspace: Workspace, run: Run, tables: Tables) -> None:
        self._explainer = Explainer(workspace, run.recorded_inputs())
        self._tables = tables
        self._provenance = ProvenanceTable(tables)
        self.entries: dict[str, dict[str, Any]] = {}

    def add_stack(self, stack: Stack) -> None:
        """Add a bundle, and its layers."""
        target = stack.target
        layers = [self._tables.layer(layer) for layer in stack.layers]
        self.entries[target.id] = {
            **target._asdict(),
            "id": target.id,
            "stack": self._tables.stacks.intern(tuple(layers), layers),
        }

    def add_result(self, result: BundleResult, steps: MergeSteps) -> None:
        """Add the cells of a bundle."""
        bundle = result.bundle
        explained = self._explainer.explain_steps(bundle, steps)
        cells = flatten_bundle(bundle, explained.secret_variables)
        cells.pop(_EXCLUDED_PATH, None)
        provenance_numbers = {path: self._provenance.intern(explained, path, cell) for path, cell in cells.items()}
        rows = [self._tables.row(path) for path in cells]
        self.entries[bundle.target.id] |= {
            "shape": self._tables.shapes.intern(tuple(rows), rows),
            "cells": [self._tables.cell(cell, provenance_numbers[path]) for path, cell in cells.items()],
            "facts": self._fact_lines(explained, cells, provenance_numbers.values()),
        }

    def _fact_lines(
        self, bundle: ExplainedBundle, cells: Mapping[KeyPath, Cell], provenance_numbers: Iterable[int]
    ) -> list[int]:
        """Return lines for the values that cells are computed from, but that are no cells."""
        sources = dict.fromkeys(key for number in set(provenance_numbers) for key in self._provenance.reads(number))
        if not sources:
            return []
        cell_keys = set(map(self._tables.key, cells))
        lines = self._provenance.lines(bundle, sorted(sources.keys() - cell_keys))
        return [self._tables.line(line) for line in lines if line.key not in cell_keys]
