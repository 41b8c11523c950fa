"""Suggestions for misspelled names."""

from collections.abc import Callable, Iterable

# The minimum length of an abbreviation, such as `prod`, that is completed.
_MIN_PREFIX = 3


def nearest_name(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate closest to `name`, ignoring case, or an empty string if none is close."""
    from difflib import get_close_matches  # noqa: PLC0415 -- imported only to report a mistake

    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    matches = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.62)
    if matches:
        return by_lower_case[matches[0]]
    completions = [
        candidate
        for lower_case, candidate in by_lower_case.items()
        if len(name) >= _MIN_PREFIX and lower_case.startswith(name.lower())
    ]
    return completions[0] if len(completions) == 1 else ""


def did_you_mean(name: str, candidates: Iterable[str], spell: Callable[[str], str] = str) -> str:
    """Return a hint for an unknown name: the nearest candidate, else a short list of the candidates.

    A prefix that all names share is added by `spell`, because it would distort the comparison.
    """
    names = sorted(candidates)
    nearest = nearest_name(name, names)
    if nearest:
        return f"did you mean '{spell(nearest)}'?"
    if not names:
        return ""
    shown = ", ".join(map(spell, names[:9]))
    return f"known: {shown}" if len(names) <= 9 else f"known: {shown} and {len(names) - 9} more"
