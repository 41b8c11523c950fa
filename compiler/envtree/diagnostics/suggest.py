"""The name that was probably meant."""

from collections.abc import Callable, Iterable

# So many letters tell what a shortened name, such as `prod`, was short for.
_MIN_PREFIX = 3


def nearest_name(name: str, candidates: Iterable[str]) -> str:
    """The known name closest to `name`, whatever its case, or an empty string when none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only a mistake needs it

    folded = {each.lower(): each for each in candidates}
    close = get_close_matches(name.lower(), folded, n=1, cutoff=0.62)
    if close:
        return folded[close[0]]
    longer = [each for key, each in folded.items() if len(name) >= _MIN_PREFIX and key.startswith(name.lower())]
    return longer[0] if len(longer) == 1 else ""


def did_you_mean(name: str, candidates: Iterable[str], spell: Callable[[str], str] = str) -> str:
    """A hint for an unknown name: the nearest known one, else a short list of what there is.

    What all of them begin with is left to `spell`: in a comparison it would make them alike.
    """
    names = sorted(candidates)
    close = nearest_name(name, names)
    if close:
        return f"did you mean '{spell(close)}'?"
    if not names:
        return ""
    shown = ", ".join(map(spell, names[:9]))
    return f"known: {shown}" if len(names) <= 9 else f"known: {shown} and {len(names) - 9} more"
