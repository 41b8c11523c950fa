"""Words for people: what a file or a command line says, fit for a terminal and a CI log."""


def printable(data: str) -> str:
    """Text from a file or a command line, fit for one line of a terminal and a CI log: no control, no commands."""
    from envtree.model.tree_layout import escape_unprintable  # noqa: PLC0415 -- `--version` has nothing to say about the layout

    return escape_unprintable(data).replace("##[", "##\\[")


def printable_lines(words: str) -> str:
    """Words for people, line by line; a line that begins with two colons is a command to GitHub's runner."""
    lines = map(printable, words.split("\n"))
    return "\n".join(line.replace("::", "\\::", 1) if line.lstrip().startswith("::") else line for line in lines)
