"""Questions about all bundles of a tree at once: a run comes in, frozen answers and their JSON data go out."""
