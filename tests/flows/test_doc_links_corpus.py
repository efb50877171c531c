"""The link check on the real workspace, against a second judge."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from urllib.parse import unquote

import pytest

from tests.support.gfm_oracle import broken_links
from tests.support.link_checks import NAV, everything, written


@pytest.mark.corpus
def test_every_broken_link_of_the_real_navigation_is_found(check, corpus):
    """20 of BUILD_HISTORY lead to no file (18 of them to source), 9 in all to no heading."""
    done = check(corpus, "--check-anchors")
    assert done.returncode == 1
    for page, (files, anchors) in broken_links(corpus, *NAV).items():
        mine = [link for link in done.report["links"] if link["path"] == page]
        lost = [x["target"] for x in mine if x["category"] in ("missing_file", "code_ref")]
        assert Counter(map(unquote, lost)) == files
        assert Counter(unquote(x["target"]) for x in mine if x["category"] == "missing_anchor") == (
            anchors
        )
    categories = done.report["counts"]["categories"]
    assert (categories["missing_file"], categories["code_ref"]) == (2, 18)
    assert categories["missing_anchor"] == 9
    assert done.report["counts"]["certain"] == 17


@pytest.mark.corpus
def test_certain_mends_of_the_real_workspace_lead_where_they_say(check, corpus_copy):
    before = everything(corpus_copy)
    wanted = check(corpus_copy, "--deep", "--fix", "certain")
    fixes = wanted.report["fixes"]
    pages = sorted({fix["path"] for fix in fixes})
    were = broken_links(corpus_copy, *pages)
    assert len(fixes) == wanted.report["counts"]["certain"] == 332
    assert everything(corpus_copy) == before

    done = check(corpus_copy, "--deep", "--fix", "certain", "--execute")
    assert done.returncode == 0
    assert sorted(written(done)) == pages
    after = everything(corpus_copy)
    assert {name for name in after if before.get(name) != after[name]} == set(pages)
    assert before.keys() == after.keys()
    for page, (files, _) in broken_links(corpus_copy, *pages).items():
        mended = Counter(unquote(fix["old"]) for fix in fixes if fix["path"] == page)
        assert files == were[page][0] - mended
        assert mended <= were[page][0]
        for fix in (fix for fix in fixes if fix["path"] == page):
            there = posixpath.join(posixpath.dirname(page), re.split("[?#]", fix["new"])[0])
            assert (corpus_copy / unquote(there)).exists()
        old, new = (data[page].decode() for data in (before, after))
        assert _without_targets(new) == _without_targets(old)
    again = check(corpus_copy, "--deep", "--fix", "certain", "--execute")
    assert (again.report["fixes"], written(again)) == ([], [])
    assert everything(corpus_copy) == after


def _without_targets(text: str) -> str:
    return re.sub(r"\]\([^\s()]*", "](", text)


@pytest.mark.corpus
def test_deep_mode_agrees_with_the_rendered_pages_of_the_real_workspace(check, corpus):
    done = check(corpus, "--deep", "--include", "archive/**")
    mine: dict[str, Counter[str]] = {}
    for link in done.report["links"]:
        if link["kind"] or link["category"] in ("missing_file", "historical_ref"):
            mine.setdefault(link["path"], Counter())[unquote(link["target"])] += 1
    for page, (files, anchors) in broken_links(corpus).items():
        lost = [x["target"] for x in done.report["links"]
                if x["path"] == page and x["category"] == "missing_anchor"]  # fmt: skip
        assert Counter(map(unquote, lost)) == anchors, page
        if page != "docs/BUILD_HISTORY.md":
            assert mine.get(page, Counter()) == files, page
