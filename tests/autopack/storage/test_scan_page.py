"""The page of a scan: complete without its script, and safe whatever a file is called."""

from __future__ import annotations

import json
import re
import shutil

import plotly
import pytest
from plotly import graph_objects

from autopack.report import NextStep, Report
from autopack.storage.figure import figure
from autopack.storage.page import tables
from autopack.storage.scan_page import Reclaimable, html
from autopack.storage.snapshot import NotSeen
from tests.autopack.test_html_page import Page
from tests.support.pictures import picture_of

MIB = 1 << 20
HOSTILE = "<script>alert(1)</script>"
BROWSER = shutil.which("chromium")


def page_of(*pictures, script="plotly-1.min.js", could_go=None):
    report = Report("storage-scan", tables=tables(pictures))
    report.next_steps = [NextStep("approve it", "python -m flows.storage_apply approve r.json")]
    return html(report, pictures, script, could_go)


def rectangles(page: str):
    found = re.search(r'<script type="application/json" id="rectangles">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def test_nothing_is_fetched_but_the_script_beside_the_page() -> None:
    page = Page(page_of(picture_of({"a/f": MIB})))
    sources = [at.get("src") or at.get("href") for _, at in page.tags if {"src", "href"} & set(at)]
    assert sources == ["plotly-1.min.js"]
    assert not re.search(r"https?://", page_of(picture_of({"a/f": MIB})))
    policy = next(at["content"] for _, at in page.tags if at.get("http-equiv"))
    assert policy
    assert policy.startswith("default-src 'none'")


def test_a_file_called_like_a_script_is_a_name() -> None:
    page = page_of(picture_of({f"d/{HOSTILE[:8]}": MIB, "x'\"><img src=x onerror=alert(1)>": MIB}))
    assert "<img" not in page
    assert "<script>alert" not in page
    told = rectangles(page)
    assert "x'\"&gt;&lt;img src=x onerror=alert(1)&gt;" in told["labels"]


def test_links_that_plotly_would_make_of_names_are_words() -> None:
    told = rectangles(page_of(picture_of({"<a href='javascript:alert(1)'>": MIB})))
    assert not any("<a" in cell for cell in (*told["labels"], *told["text"]))


def test_a_name_cannot_end_the_data() -> None:
    page = page_of(picture_of({"a</script": MIB, "b<!--<script": MIB}))
    assert len(rectangles(page)["ids"]) == 4


def test_tables_tell_everything_without_the_script() -> None:
    made = picture_of(
        {"logs/run.log": 5 * MIB, "a/.cache/x": MIB},
        NotSeen("shut", "denied"), NotSeen("mnt", "mount"),
        before={"logs/run.log": MIB},
    )  # fmt: skip
    words = Page(page_of(made, could_go=Reclaimable(1, MIB))).text
    for told in (
        "6.0 MiB allocated on the disk", "6.0 MiB apparent", "1.0 MiB could go, in 1 item",
        "since the last scan", "Largest files", "Largest folders", "Age of the files",
        "Growth since the last scan", "Categories of the policy", "permission denied",
        "a mount point", "eligible", "protected", "python -m flows.storage_apply approve r.json",
    ):  # fmt: skip
        assert told in words, told


def test_a_fast_scan_is_labelled() -> None:
    words = Page(page_of(picture_of({"f": 1}, mode="fast", sizes_ns=0))).text
    assert "structural; sizes as of 1970-01-01T00:00:00Z" in words


def test_a_tree_without_bytes_has_a_page_without_a_treemap() -> None:
    empty = {"": {"kind": 2, "size": 0, "allocated": 0}}
    assert "rectangles" not in page_of(picture_of(empty))


def test_plotly_takes_the_figure_of_several_roots() -> None:
    drawn = figure([picture_of({"a/f": MIB}, root=f"/r{n}") for n in range(3)])
    keys = ("ids", "parents", "labels", "values", "text")
    made = graph_objects.Treemap({key: drawn[key] for key in keys}, branchvalues="total")
    assert len(made.ids) == 1 + 3 * 3  # each: the root, a, a/f
    tops = [
        value for value, parent in zip(made["values"], made.parents, strict=True) if parent == "all"
    ]
    assert made["values"][0] == sum(tops)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium to look at the page with")
def test_a_browser_draws_the_treemap_and_needs_no_network(tmp_path) -> None:
    from importlib.resources import files

    from playwright.sync_api import sync_playwright

    script = f"plotly-{plotly.__version__}.min.js"
    (tmp_path / script).write_bytes(
        files("plotly").joinpath("package_data/plotly.min.js").read_bytes()
    )
    names = {"a/f": MIB, "b/<img src=x onerror=alert(1)>": MIB, "c\nd": 2 * MIB}
    (tmp_path / "page.html").write_text(page_of(picture_of(names), script=script))
    (tmp_path / "alone.html").write_text(page_of(picture_of(names), script="missing.js"))
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        for width in (1280, 390):
            view = browser.new_page(viewport={"width": width, "height": 900})
            asked, said = [], []
            view.on("request", lambda request, asked=asked: asked.append(request.url))
            view.on("dialog", lambda dialog, said=said: said.append(dialog.message))
            view.on("pageerror", lambda error, said=said: said.append(str(error)))
            view.goto((tmp_path / "page.html").as_uri())
            view.wait_for_selector("#treemap .slice")
            labels = view.locator("#treemap .slicetext").all_text_contents()
            assert "<img src=x onerror=alert(1)>" in " ".join(labels)
            assert all(url.startswith("file:") for url in asked)
            assert said == []
            assert view.evaluate("document.documentElement.scrollWidth") <= width
            drawn = view.locator("#treemap svg.main-svg").first.bounding_box()
            assert drawn
            assert drawn["width"] > width * 0.85
        view.goto((tmp_path / "alone.html").as_uri())
        assert "The tables say the same" in view.locator("#treemap").inner_text()
        browser.close()
