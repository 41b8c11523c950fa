"""Access to the files of a tree: a folder or a commit in, a `Tree` out, whole or for one shard or bundle."""
