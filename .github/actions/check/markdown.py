"""The report of a check as Markdown, for a job summary or a comment, inside a limit.

A report can come from a stranger's pull request. So every text in it is shown as code: no link, picture, mention or
HTML comes of it, and it cannot end the section that it stands in.
"""

import re
from typing import Any, NamedTuple

# Renderers give up on longer fences, and a longer run of backticks says nothing more.
_LONG_RUN = re.compile("(`{16})`+")
_LONGEST_TEXT = 1000
# What has no shape of its own, turns the direction of text, or draws on a terminal.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\ufffb]"
)
_TRUNCATED = "\n**Cut here, for there is more than fits. `envtree check` shows all of it on your machine.**\n"
_MARKS = {
    "error": "\N{CROSS MARK}",
    "warning": "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}",
    "none": "\N{WHITE HEAVY CHECK MARK}",
}
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_NO_FOLD = ("**{}**\n\n", "")


class _Section(NamedTuple):
    title: str
    lines: list[str]
    folded: bool


def code(text: str) -> str:
    """A text as a code span, whatever is in it."""
    text = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text[:_LONGEST_TEXT])
    text = _LONG_RUN.sub(lambda run: run[1], text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # One space is taken off each end again, unless there is nothing else.
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def markdown(report: dict[str, Any], directory: str, limit: int, first: str = "") -> str:
    """The whole text in at most `limit` bytes: `first`, the result, then the findings, the worst ones first."""
    findings = [entry for entry in _list(report, "findings") if isinstance(entry, dict)]
    text = f"{first}{_result(findings, report, directory)}"
    room = limit - len((text + _TRUNCATED + _more(findings)).encode())
    for section in _sections(findings, report):
        added, complete = _fitted(section, room)
        text, room = text + added, room - len(added.encode())
        if not complete:
            return text + _TRUNCATED
    return text + _more(findings) if findings else text


def stopped(code_: int, directory: str, first: str = "") -> str:
    """The text for a run that made no report."""
    return (
        f"{first}### {_MARKS['error']} envtree could not check {code(directory)}\n\n"
        f"It ended with exit code {code_}; the log of the step says why.\n"
    )


def _result(findings: list[dict[str, Any]], report: dict[str, Any], directory: str) -> str:
    errors, warnings = (sum(_text(one, "severity") == kind for one in findings) for kind in ("error", "warning"))
    mark = _MARKS["error" if errors else "warning" if warnings else "none"]
    counts = [_plural(errors, "error") if errors else "no errors"] + [_plural(warnings, "warning")] * bool(warnings)
    summary = report.get("summary") if isinstance(report.get("summary"), dict) else {}
    bundles, agents = (_number(summary, key) for key in ("bundles", "agents"))
    where = "" if directory in ("", ".") else f" in {code(directory)}"
    return (
        f"### {mark} envtree: {', '.join(counts)}\n\n"
        f"Checked {_plural(bundles, 'bundle')} of {_plural(agents, 'agent')}{where}, without a key.\n"
    )


def _more(findings: list[dict[str, Any]]) -> str:
    example = code(f"envtree code {_text(findings[0], 'code')}") if findings else ""
    return f"\n`envtree check` shows the same on your machine, and {example} explains a code.\n"


def _sections(findings: list[dict[str, Any]], report: dict[str, Any]) -> list[_Section]:
    kinds = (("error", "Errors", False), ("warning", "Warnings", False), ("info", "Notes", True))
    of_kind = [
        _Section(title, [_finding(one) for one in findings if _text(one, "severity") == kind], folded)
        for kind, title, folded in kinds
    ]
    skipped = [_place(one) for one in _list(report, "not_checked") if isinstance(one, dict)]
    sections = [*of_kind, _Section("Not checked, for it needs a key or an input", skipped, folded=True)]
    return [section for section in sections if section.lines]


def _fitted(section: _Section, room: int) -> tuple[str, bool]:
    """As much of a section as there is room for, and whether that is all of it."""
    opening, closing = _FOLD if section.folded else _NO_FOLD
    text = "\n" + opening.format(f"{section.title}: {len(section.lines)}")
    room -= len((text + closing).encode())
    if room < 0:
        return "", False
    for line in section.lines:
        room -= len(line.encode())
        if room < 0:
            return text + closing, False
        text += line
    return text + closing, True


def _finding(one: dict[str, Any]) -> str:
    lines = [f"{_place(one).rstrip()}: {code(_text(one, 'message'))}"]
    bundles = [id for id in _list(one, "bundles") if isinstance(id, str)]
    if bundles:
        lines.append(f"  in {_plural(len(bundles), 'bundle')}: {code(bundles[0])}" + ", …" * (len(bundles) > 1))
    lines += [f"  {_at(related)}: {code(_text(related, 'message'))}" for related in _list(one, "related")[:10]]
    if _text(one, "hint"):
        lines.append(f"  hint: {code(_text(one, 'hint'))}")
    # Two spaces at the end of a line break it.
    return "  \n".join(lines) + "\n"


def _place(one: dict[str, Any]) -> str:
    key = f" {code(_text(one, 'key'))}" if "message" not in one and _text(one, "key") else ""
    return f"- {code(_text(one, 'code'))} {_at(one)}{key}\n"


def _at(one: Any) -> str:
    if not isinstance(one, dict) or not _text(one, "path"):
        return "in no file"
    numbers = [str(number) for number in (_number(one, "line"), _number(one, "column")) if number]
    return code(":".join([_text(one, "path"), *numbers]))


def _text(one: Any, key: str) -> str:
    value = one.get(key) if isinstance(one, dict) else None
    return value if isinstance(value, str) else ""


def _number(one: Any, key: str) -> int:
    value = one.get(key) if isinstance(one, dict) else None
    return value if isinstance(value, int) else 0


def _list(one: dict[str, Any], key: str) -> list[Any]:
    value = one.get(key)
    return value if isinstance(value, list) else []


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
