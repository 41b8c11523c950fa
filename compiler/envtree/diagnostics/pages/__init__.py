"""One page per diagnostic code: its meaning, a failing example, and the corrected one."""

from importlib.resources import files


def read_page(code: str) -> str:
    """Return the page of a code as Markdown; raise KeyError if it has none."""
    file = files(__name__) / f"{code}.md"
    if not file.is_file():
        raise KeyError(code)
    return file.read_text(encoding="utf-8")
