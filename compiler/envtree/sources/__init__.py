"""Where the files of a tree come from: a folder or a commit in, a `Tree` out, whole or for one shard or bundle."""
