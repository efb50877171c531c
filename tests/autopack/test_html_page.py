"""A report as a page: complete, and safe whatever a file is called."""

from __future__ import annotations

from html.parser import HTMLParser

from autopack.html_page import FIRST, html
from autopack.report import Chart, Finding, NextStep, Report, Series, Table

HOSTILE = '<script>alert(1)</script>"\u202e'


class Page(HTMLParser):
    """The tags with their attributes, and the text outside script and style."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def report(**given: object) -> Report:
    return Report("doc-links", **given)  # type: ignore[arg-type]


def test_everything_a_report_says_is_on_its_page() -> None:
    page = Page(
        html(
            report(
                exit_code=1,
                body="the body",
                targets={"database": None},
                counts={"links": 7},
                findings=[Finding("missing_file", "error", "a.md", 3, "no b.md", "write c.md")],
                next_steps=[NextStep("mends it", "python -m flows.doc_links --fix certain")],
                tables=[Table("pages", "Pages", ("page", "broken"), [("a.md", 1)], bar="broken")],
            )
        )
    )
    for words in (
        "findings",
        "missing_file a.md:3 no b.md write c.md",
        "python -m flows.doc_links",
        "Pages 1 page broken a.md 1",
        "links 7",
        "database not set",
        "the body",
    ):
        assert words in page.text


def test_nothing_is_fetched_and_names_stay_text() -> None:
    table = Table("t", HOSTILE, ("page",), [(HOSTILE,)])
    finding = Finding("x", "error", HOSTILE, None, HOSTILE, HOSTILE)
    page = Page(html(report(body=HOSTILE, findings=[finding], tables=[table])))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not [a for _, attrs in page.tags for a in attrs if a in ("src", "href", "onclick")]
    assert "\u202e" not in html(report(findings=[finding], tables=[table]))


def test_bars_are_shares_of_the_longest_and_long_tables_unfold() -> None:
    rows = [(f"{n}.md", n) for n in range(FIRST + 2, 0, -1)]
    page = Page(html(report(tables=[Table("t", "T", ("page", "n"), rows, bar="n")])))
    widths = [attrs["style"] for _, attrs in page.tags if "style" in attrs]
    assert len(widths) == FIRST + 2
    assert widths[0] == "width: 100.0%"
    assert widths[5] == "width: 58.3%"
    assert "2 more" in page.text


def test_a_table_of_zeros_has_empty_bars_and_an_empty_one_is_left_out() -> None:
    zero = Table("z", "Zero", ("page", "n"), [("a.md", 0)], bar="n")
    page = Page(html(report(tables=[zero, Table("e", "Empty", ("page",), [])])))
    assert [attrs["style"] for _, attrs in page.tags if "style" in attrs] == ["width: 0.0%"]
    assert "Empty" not in page.text


def test_a_chart_is_drawn_in_the_page_itself() -> None:
    chart = Chart(
        "trend", HOSTILE, ("a", "b", HOSTILE), (Series(HOSTILE, (4.0, 0.0, 2.0)),),
        mark=1.5, mark_label="reviewed",
    )  # fmt: skip
    page = Page(html(report(charts=[chart])))
    (line,) = [attrs for tag, attrs in page.tags if tag == "polyline"]
    assert line["points"] == "0.0,0.0 320.0,160.0 640.0,80.0 "
    assert [attrs["d"] for tag, attrs in page.tags if attrs.get("class") == "mark"] == [
        "M480.0 0V160"
    ]
    assert "b: 0" in page.text
    assert "reviewed" in page.text
    assert not [tag for tag, _ in page.tags if tag in ("script", "image", "use", "link")]


def test_a_chart_of_one_point_or_none_is_no_mistake() -> None:
    one = Chart("one", "One", ("a",), (Series("s", (0.0,)),), mark=7.0)
    none = Chart("none", "None", (), (Series("s", ()),))
    page = Page(html(report(charts=[one, none])))
    assert [attrs["id"] for tag, attrs in page.tags if tag == "figure"] == ["one"]


def test_a_table_of_bytes_says_units_and_how_many_rows_there_are() -> None:
    rows = [("a", 3 << 20), ("b", -(1 << 20))]
    table = Table("t", "Large", ("name", "bytes"), rows, "bytes", ("bytes",), among=1234)
    page = Page(html(report(tables=[table])))
    assert "Large 2 of 1,234 name bytes a 3.0 MiB b -1.0 MiB" in page.text
    bars = [at for tag, at in page.tags if tag == "span" and "width" in (at.get("style") or "")]
    assert [(bar.get("class"), bar["style"]) for bar in bars] == [
        (None, "width: 100.0%"), ("less", "width: 33.3%"),
    ]  # fmt: skip
