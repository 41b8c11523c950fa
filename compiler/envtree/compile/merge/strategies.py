"""The strategies of envtree for deepmerge's `Merger`."""

from envtree.compile.merge.directives import apply_directive
from envtree.compile.merge.lists import merge_lists
from envtree.compile.merge.maps import merge_maps
from envtree.compile.merge.merger import Strategies
from envtree.compile.merge.values import add_or_replace, merge_map_change, merge_scalars, report_clash
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence

STRATEGIES = Strategies(
    by_type=((MergedMapping, merge_maps), (MergedSequence, merge_lists), (MergedScalar, merge_scalars)),
    conflict=(apply_directive, merge_map_change, add_or_replace, report_clash),
)
