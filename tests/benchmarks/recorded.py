"""Ratios of processor times of the last recorded run, to compare a run with: reported, and never judged."""

import json
from collections.abc import Mapping
from pathlib import Path

FILE = Path(__file__).parent / "recorded.json"


def compare(group: str, ratios: Mapping[str, float]) -> list[str]:
    """Return one line for each ratio with the recorded one, if there is any."""
    recorded = _read().get(group, {})
    return [
        f"{name}: {ratio:.2f} times the processor time{_describe(ratio, recorded.get(name))}"
        for name, ratio in ratios.items()
    ]


def record(group: str, ratios: Mapping[str, float]) -> None:
    """Replace the recorded ratios of a group."""
    content = {**_read(), group: {name: round(ratio, 2) for name, ratio in ratios.items()}}
    FILE.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _describe(ratio: float, recorded: float | None) -> str:
    return f"; recorded {recorded:.2f}, now {ratio / recorded:.2f} of it" if recorded else "; not recorded before"


def _read() -> dict[str, dict[str, float]]:
    recorded: dict[str, dict[str, float]] = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    return recorded
