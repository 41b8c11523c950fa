"""Make text from files and command lines safe to print on a terminal and in a CI log."""


def printable(text: str) -> str:
    """Escape control characters and CI commands in text from a file or command line, for output on one line."""
    from envtree.model.tree_layout import escape_unprintable  # noqa: PLC0415 -- `--version` does not need the layout

    return escape_unprintable(text).replace("##[", "##\\[")


def printable_lines(text: str) -> str:
    """Escape text line by line, including a leading `::`, which begins a command to GitHub's runner."""
    lines = map(printable, text.split("\n"))
    return "\n".join(line.replace("::", "\\::", 1) if line.lstrip().startswith("::") else line for line in lines)
