"""The plan: applied to what an index holds, it gives exactly the file, with the fewest writes."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.sot import plan as planning
from autopack.sot.pages import PARSER, Page, changed_window, cut_pages
from autopack.sot.plan import FilePlan, Row, plan_window
from autopack.sot.segments import Segments
from tests.autopack.sot.builders import cut


class Held:
    """What an index holds of one file."""

    def __init__(self, segments: Segments) -> None:
        self.load(segments)

    def load(self, segments: Segments) -> None:
        positions = range(planning.GAP, planning.GAP * (len(segments) + 1), planning.GAP)
        self.rows = {
            pos: Row(pos, segments.kinds[i], segments.idents[i],
                     sha256(segments.content(i)).digest(), segments.lengths[i])
            for i, pos in enumerate(positions)
        }  # fmt: skip
        self.pages = {page.pos: page for page in cut_pages(segments, 0, positions)}

    def plan(self, segments: Segments) -> FilePlan | None:
        pages: list[Page] = [self.pages[pos] for pos in sorted(self.pages)]
        window = changed_window(segments, pages)
        gone = pages[window.first_page : window.last_page]
        old = [
            self.rows[pos]
            for pos in sorted(self.rows)
            if gone and gone[0].pos <= pos <= gone[-1].last
        ]
        return plan_window(segments, window, pages, old)

    def apply(self, plan: FilePlan) -> None:
        for row in plan.delete:
            del self.rows[row.pos]
        for _, row in plan.insert:
            assert row.pos not in self.rows
            self.rows[row.pos] = row
        for _, row in plan.update:
            assert row.pos in self.rows
            self.rows[row.pos] = row
        for pos in plan.stale_pages:
            del self.pages[pos]
        for page in plan.pages:
            assert page.pos not in self.pages
            self.pages[page.pos] = page

    def check(self, segments: Segments) -> None:
        held = [self.rows[pos] for pos in sorted(self.rows)]
        assert [(row.kind, row.ident) for row in held] == list(
            zip(segments.kinds, segments.idents, strict=True)
        )
        assert [row.digest for row in held] == [
            sha256(segments.content(i)).digest() for i in range(len(segments))
        ]
        assert sum(page.count for page in self.pages.values()) == len(segments)
        ordered = [self.pages[pos] for pos in sorted(self.pages)]
        assert all(a.last < b.pos for a, b in pairwise(ordered))
        assert changed_window(segments, ordered).empty


def ledger(entries: list[tuple[int, int]]) -> Segments:
    text = "# T\n" + "".join(f"## BUILD-{n}: x\nbody {v}\n" for n, v in entries)
    return cut(text)


ENTRIES = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=30)


@settings(max_examples=300)
@given(st.lists(ENTRIES, min_size=2, max_size=5), st.sampled_from([2, 3, 64]))
def test_any_sequence_of_files_ends_as_the_last_file(versions, page: int) -> None:
    from autopack.sot import pages

    before, pages.PAGE = pages.PAGE, page
    try:
        held = Held(ledger(versions[0]))
        for version in versions[1:]:
            segments = ledger(version)
            plan = held.plan(segments)
            assert plan is not None
            held.apply(plan)
            held.check(segments)
    finally:
        pages.PAGE = before


def many(edit: dict[int, int] | None = None, drop: int = 0, top: int = 0) -> Segments:
    changed = edit or {}
    entries = [(n, changed.get(n, 0)) for n in range(1000 + top, 0, -1) if n != drop]
    return ledger(entries)


def test_one_edit_is_one_row() -> None:
    plan = Held(many()).plan(many({500: 1}))
    assert plan
    assert (len(plan.insert), len(plan.update), len(plan.delete)) == (0, 1, 0)
    assert plan.touched == {"BUILD-500"}


def test_one_removed_entry_is_one_row() -> None:
    plan = Held(many()).plan(many(drop=500))
    assert plan
    assert (len(plan.insert), len(plan.update), len(plan.delete)) == (0, 0, 1)


def test_entries_arriving_at_the_top_never_move_the_others() -> None:
    held = Held(many())
    for top in range(1, 200):
        segments = many(top=top)
        plan = held.plan(segments)
        assert plan
        assert (len(plan.insert), len(plan.update), len(plan.delete)) == (1, 0, 0)
        held.apply(plan)
    held.check(segments)


def test_a_full_gap_asks_for_a_fresh_load(monkeypatch) -> None:
    monkeypatch.setattr(planning, "GAP", 2)
    held = Held(many())
    assert held.plan(many(top=1)) is not None
    held.apply(held.plan(many(top=1)))  # type: ignore[arg-type]
    assert held.plan(many(top=2)) is None


def test_a_new_parser_version_makes_every_page_stale(monkeypatch) -> None:
    held = Held(many())
    monkeypatch.setattr("autopack.sot.pages.PARSER", PARSER + 1)
    window = changed_window(many(), [held.pages[pos] for pos in sorted(held.pages)])
    assert (window.first, window.last) == (0, 1001)
