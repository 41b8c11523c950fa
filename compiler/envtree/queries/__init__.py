"""Questions about finished bundles: runs over one or two trees come in, frozen answers and their JSON data go out."""
