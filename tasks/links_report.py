"""What a link check says: findings with their candidates, the pages to mend first, the plan."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from autopack.links.target import take_apart
from autopack.links.verdict import LAYERS, STRICT, Verdict
from autopack.report import Crowd, Finding, NextStep, Report, Severity, Table
from tasks.links_session import Checking, Wish

FIRST = 10
"""How many pages a deep report names first."""
_SHOWN = 200


def severity(verdict: Verdict, wish: Wish) -> Severity:
    """Return how bad a verdict is: missing files always, fragments and code only when asked."""
    if verdict.category == "missing_file" or (wish.strict and verdict.category in STRICT):
        return "error"
    if verdict.category == "missing_anchor":
        return "error" if wish.anchors else "warning"
    return "info"


def describe(report: Report, checking: Checking) -> None:
    """Put counts, findings and candidates into the report."""
    wish, known = checking.wish, checking.remembered()
    report.counts = counts(checking, sum(known))
    report.findings = [
        verdict.finding("info" if old else severity(verdict, wish), _fix(verdict))
        for verdict, old in zip(checking.verdicts, known, strict=True)
    ]
    report.findings += [_strictly(finding, wish) for finding in checking.about_rules]
    report.crowds = [crowd(checking)] if checking.web else []
    report.extra["links"] = lambda: [
        {**verdict.as_json(), "fingerprint": name, "known": old}
        for verdict, name, old in checking.marked()
    ]
    report.extra["mode"] = wish.mode
    report.tables = tables(checking.verdicts, checking.web)


def crowd(checking: Checking) -> Crowd:
    """Return the findings of the links to the web, which are made when they are read."""
    assert checking.library
    first = checking.library.first_web(3)
    places = tuple(f"{verdict.page}:{verdict.line}" for verdict in first)

    def among(findings: list[Finding]) -> list[Finding]:
        own, others = set(map(id, checking.verdicts)), iter(findings)
        found = [
            next(others) if id(verdict) in own else verdict.finding("info")
            for verdict in checking.everything()
        ]
        return [*found, *others]

    return Crowd("external_url", "info", checking.web, places, among)


def tables(verdicts: Sequence[Verdict], web: int = 0) -> list[Table]:
    """Return what there is to look at: the pages to mend first, the categories, the candidates."""
    first = [
        (page, found["missing_file"], found["missing_anchor"], found["certain"])
        for page, found in ranked(verdicts)
    ]
    kinds = Counter((verdict.category, verdict.sub or "other") for verdict in verdicts)
    kinds["external_url", "other"] += web
    found = [(verdict, c) for verdict in verdicts for c in verdict.candidates]
    candidates = [
        (f"{verdict.page}:{verdict.line}", verdict.target, c.target or c.path, c.layer, c.why)
        for verdict, c in sorted(found, key=lambda at: LAYERS.index(at[1].layer))
    ]
    return [
        Table("mend-first", "Mend first", ("page", "broken", "fragments", "certain"), first,
              bar="broken"),
        Table("categories", "By category", ("category", "kind", "links"),
              [(*kind, n) for kind, n in kinds.most_common() if n], bar="links"),
        Table("candidates", "Fix candidates", ("where", "link", "write", "layer", "why"),
              candidates),
    ]  # fmt: skip


def counts(checking: Checking, known: int) -> dict[str, object]:
    """Return how much was checked, and how much of each category there is to say."""
    categories = Counter(verdict.category for verdict in checking.verdicts)
    categories.update({"external_url": checking.web} if checking.web else {})
    links, anchors = checking.library.size() if checking.library else _size(checking)
    return {
        "files": len(checking.sources),
        "links": links,
        "anchors": anchors,
        "categories": dict(categories),
        "certain": sum(1 for verdict in checking.verdicts if verdict.certain),
        "ignored": checking.ignored,
        "known": known,
    }


def _size(checking: Checking) -> tuple[int, int]:
    links = [link for page in checking.sources.values() for link in page.links]
    return len(links), sum(1 for link in links if take_apart(link.target).fragment)


def _strictly(finding: Finding, wish: Wish) -> Finding:
    if not wish.strict or finding.severity != "warning":
        return finding
    return Finding(finding.code, "error", finding.path, finding.line, finding.message, finding.fix)


def _fix(verdict: Verdict) -> str:
    if not verdict.candidates:
        return ""
    if verdict.certain:
        return f"write '{verdict.certain.target}'; --fix certain --execute does it"
    moved = verdict.meant("history")
    if moved:
        return f"write '{moved.target}', {moved.why}; --fix history --execute does it"
    like = [candidate.path for candidate in verdict.candidates]
    return f"perhaps {', '.join(like)}" if like else ""


def _line(name: str) -> str:
    """Return a name on one line, whatever is in it."""
    return " ".join(name.split())


def deep_summary(verdicts: Sequence[Verdict], web: int = 0) -> str:
    """Return the first screen of a deep report: whom to mend first, of what kind, how much."""
    parts = ["\n".join(_first(verdicts)), "\n".join(_kinds(verdicts, web)), _certain(verdicts)]
    return "\n\n".join(part for part in parts if part)


def ranked(verdicts: Iterable[Verdict]) -> list[tuple[str, Counter[str]]]:
    """Return the pages with broken links, the worst first: files, then fragments, then names."""
    pages: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        pages[verdict.page][verdict.category] += 1
        pages[verdict.page]["certain"] += verdict.certain is not None
    broken = [(p, c) for p, c in pages.items() if c["missing_file"] or c["missing_anchor"]]
    return sorted(broken, key=lambda at: (-at[1]["missing_file"], -at[1]["missing_anchor"], at[0]))


def _first(verdicts: Sequence[Verdict]) -> Iterator[str]:
    pages = ranked(verdicts)
    if not pages:
        yield "no page has a broken link"
        return
    yield f"Mend first ({min(FIRST, len(pages))} of {len(pages)} pages with broken links):"
    named = [(_line(page), found) for page, found in pages[:FIRST]]
    width = max(len(page) for page, _ in named)
    for n, (page, found) in enumerate(named, 1):
        words = f"{found['missing_file']} broken links"
        words += f", {found['missing_anchor']} fragments" if found["missing_anchor"] else ""
        words += f"; {found['certain']} certain" if found["certain"] else ""
        yield f"  {n:>2}. {page:<{width}}  {words}"


def _kinds(verdicts: Sequence[Verdict], web: int) -> Iterator[str]:
    by: dict[str, Counter[str]] = defaultdict(Counter)
    for verdict in verdicts:
        by[verdict.category][verdict.sub or "other"] += 1
    if web:
        by["external_url"]["other"] += web
    if by:
        yield "By category:"
    for category, subs in sorted(by.items(), key=lambda at: -at[1].total()):
        detail = ", ".join(f"{sub} {n}" for sub, n in subs.most_common())
        yield f"  {category:<18} {subs.total():>5}{f'  ({detail})' if len(subs) > 1 else ''}"


def _certain(verdicts: Sequence[Verdict]) -> str:
    broken = [v for v in verdicts if v.category in ("missing_file", "code_ref") and v.link]
    sure = sum(1 for verdict in broken if verdict.certain)
    if not broken:
        return ""
    words = f"Certain: {sure} of {len(broken)} broken links can be mended without a guess"
    moved = sum(1 for v in broken if any(c.layer == "history" for c in v.candidates))
    return f"{words}; {moved} more by git's renames." if moved else f"{words}."


def _by_history(verdict: Verdict) -> bool:
    meant = verdict.meant("history")
    return meant is not None and meant.layer == "history"


def plan_text(checking: Checking, execute: bool) -> str:
    """Return what the certain mends change, a line for each."""
    lines = [
        f"  {_line(name)}:{mend.verdict.line}  {_line(mend.verdict.target)} -> {mend.new.decode()}"
        for name, done in checking.mended.items()
        for mend in done.mends
    ]
    if not lines:
        return ""
    more = [f"  ... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    verb = "Mended:" if execute else "To be mended with --execute:"
    return "\n".join([verb, *lines[:_SHOWN], *more])


def plan_json(checking: Checking) -> list[dict[str, object]]:
    """Return the certain mends for programs; lines count from 1."""
    return [
        {"path": name, "line": mend.verdict.line, "old": mend.verdict.target,
         "new": mend.new.decode()}
        for name, done in checking.mended.items()
        for mend in done.mends
    ]  # fmt: skip


def unproven(checking: Checking) -> Iterator[Finding]:
    """Yield a warning for every mend that did not prove right when its page was read again."""
    for done in checking.mended.values():
        for verdict in done.unproven:
            words = f"'{verdict.target}': the mend did not prove right, so it was left out"
            yield Finding(
                "not_mended", "warning", verdict.page, verdict.line, words, "mend it by hand"
            )


def next_step(report: Report, checking: Checking) -> None:
    """Name the command that mends what is certain, or the sync that must follow a write.

    A deep scan that only reports says so.
    """
    certain = sum(1 for verdict in checking.verdicts if verdict.certain)
    if certain:
        why = f"mends the {certain} links that need no guess"
        report.next_steps.append(NextStep(why, checking.wish.command()))
    moved = sum(1 for verdict in checking.verdicts if verdict.link and _by_history(verdict))
    if moved and not report.writes.files:
        why = f"mends {moved} links more by git's renames; look at them first"
        report.next_steps.append(NextStep(why, checking.wish.command("history")))
    if not certain and any(name.startswith("docs/") for name in report.writes.files):
        sync = "python -m flows.sot_sync --db-only --execute"
        report.next_steps.append(NextStep("brings the database in line with the ledgers", sync))
    errors = sum(1 for finding in report.findings if finding.severity == "error")
    if errors and not checking.wish.enforced:
        report.message = f"{errors} broken links; a deep scan only reports, --strict enforces"
        strict = "python -m flows.doc_links --deep --strict"
        report.next_steps.append(NextStep("makes broken links fail", strict))
