"""Render the report of a check as Markdown, for a job summary or a comment, within a size limit.

A report can come from an untrusted pull request. So every text in it is rendered as a code span: it yields no link,
picture, mention or HTML, and cannot end the section that contains it.
"""

import re
from typing import Any, NamedTuple

# Renderers do not support longer fences, so longer runs of backticks are cut.
_LONG_RUN = re.compile("(`{16})`+")
_MAX_TEXT = 1000
# Characters that are invisible, change the direction of text, or control a terminal.
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
    """Return a text as a code span, whatever characters it contains."""
    text = _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", text[:_MAX_TEXT])
    text = _LONG_RUN.sub(lambda run: run[1], text)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    # Markdown strips one space from each end, unless the span contains only spaces.
    pad = " " if text.startswith(("`", " ")) or text.endswith(("`", " ")) or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def render_report(report: dict[str, Any], directory: str, limit: int, marker: str = "") -> str:
    """Return `marker`, the result and the findings, worst first, in at most `limit` bytes."""
    findings = [entry for entry in _list(report, "findings") if isinstance(entry, dict)]
    text = f"{marker}{_render_result(findings, report, directory)}"
    remaining = limit - len((text + _TRUNCATED + _footer(findings)).encode())
    for section in _sections(findings, report):
        added, complete = _fit_section(section, remaining)
        text, remaining = text + added, remaining - len(added.encode())
        if not complete:
            return text + _TRUNCATED
    return text + _footer(findings) if findings else text


def render_failure(exit_code: int, directory: str, marker: str = "") -> str:
    """Return the text for a check that wrote no report."""
    return (
        f"{marker}### {_MARKS['error']} envtree could not check {code(directory)}\n\n"
        f"It ended with exit code {exit_code}; the log of the step says why.\n"
    )


def _render_result(findings: list[dict[str, Any]], report: dict[str, Any], directory: str) -> str:
    errors, warnings = (
        sum(_text(finding, "severity") == severity for finding in findings) for severity in ("error", "warning")
    )
    mark = _MARKS["error" if errors else "warning" if warnings else "none"]
    counts = [_plural(errors, "error") if errors else "no errors"] + [_plural(warnings, "warning")] * bool(warnings)
    summary = report.get("summary") if isinstance(report.get("summary"), dict) else {}
    bundles, agents = (_number(summary, key) for key in ("bundles", "agents"))
    location = "" if directory in ("", ".") else f" in {code(directory)}"
    return (
        f"### {mark} envtree: {', '.join(counts)}\n\n"
        f"Checked {_plural(bundles, 'bundle')} of {_plural(agents, 'agent')}{location}, without a key.\n"
    )


def _footer(findings: list[dict[str, Any]]) -> str:
    example = code(f"envtree code {_text(findings[0], 'code')}") if findings else ""
    return f"\n`envtree check` shows the same on your machine, and {example} explains a code.\n"


def _sections(findings: list[dict[str, Any]], report: dict[str, Any]) -> list[_Section]:
    severities = (("error", "Errors", False), ("warning", "Warnings", False), ("info", "Notes", True))
    by_severity = [
        _Section(title, [_render_finding(entry) for entry in findings if _text(entry, "severity") == severity], folded)
        for severity, title, folded in severities
    ]
    skipped = [_render_place(entry) for entry in _list(report, "not_checked") if isinstance(entry, dict)]
    sections = [*by_severity, _Section("Not checked, for it needs a key or an input", skipped, folded=True)]
    return [section for section in sections if section.lines]


def _fit_section(section: _Section, remaining: int) -> tuple[str, bool]:
    """Return as much of a section as fits, and whether that is all of it."""
    opening, closing = _FOLD if section.folded else _NO_FOLD
    text = "\n" + opening.format(f"{section.title}: {len(section.lines)}")
    remaining -= len((text + closing).encode())
    if remaining < 0:
        return "", False
    for line in section.lines:
        remaining -= len(line.encode())
        if remaining < 0:
            return text + closing, False
        text += line
    return text + closing, True


def _render_finding(finding: dict[str, Any]) -> str:
    lines = [f"{_render_place(finding).rstrip()}: {code(_text(finding, 'message'))}"]
    bundles = [id for id in _list(finding, "bundles") if isinstance(id, str)]
    if bundles:
        lines.append(f"  in {_plural(len(bundles), 'bundle')}: {code(bundles[0])}" + ", …" * (len(bundles) > 1))
    lines += [
        f"  {_render_location(related)}: {code(_text(related, 'message'))}"
        for related in _list(finding, "related")[:10]
    ]
    if _text(finding, "hint"):
        lines.append(f"  hint: {code(_text(finding, 'hint'))}")
    # Two spaces at the end of a line break it.
    return "  \n".join(lines) + "\n"


def _render_place(finding: dict[str, Any]) -> str:
    key = f" {code(_text(finding, 'key'))}" if "message" not in finding and _text(finding, "key") else ""
    return f"- {code(_text(finding, 'code'))} {_render_location(finding)}{key}\n"


def _render_location(location: Any) -> str:
    if not isinstance(location, dict) or not _text(location, "path"):
        return "in no file"
    numbers = [str(number) for number in (_number(location, "line"), _number(location, "column")) if number]
    return code(":".join([_text(location, "path"), *numbers]))


def _text(entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, str) else ""


def _number(entry: Any, key: str) -> int:
    value = entry.get(key) if isinstance(entry, dict) else None
    return value if isinstance(value, int) else 0


def _list(entry: dict[str, Any], key: str) -> list[Any]:
    value = entry.get(key)
    return value if isinstance(value, list) else []


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
