"""Who can open the secrets files of a tree, who should, and what is wrong with the files."""
