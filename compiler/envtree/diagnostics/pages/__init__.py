"""The pages of the codes: what each means, an example that fails, and the corrected one."""

from importlib.resources import files


def read_page(code: str) -> str:
    """The page of a code as Markdown; KeyError without one."""
    file = files(__name__) / f"{code}.md"
    if not file.is_file():
        raise KeyError(code)
    return file.read_text(encoding="utf-8")
