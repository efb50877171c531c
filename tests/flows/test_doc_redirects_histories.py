"""Where git says pages went: chains, ways back, names used again, histories with holes."""

from __future__ import annotations

import shutil

from autopack.links.stubs import read_stub
from tests.support.redirects import (
    CREATE,
    LINKS,
    LONG,
    OLD,
    TALK,
    codes,
    commit,
    git,
    move,
    planned,
    write,
)  # fmt: skip

# --- histories --------------------------------------------------------------------------------


def test_chains_and_two_old_names_lead_to_the_last_place(redirect, moved):
    move(moved, "docs/guides/NEW.md", "docs/guides/NEWER.md")
    write(moved, {"docs/b.md": LINKS.replace("OLD", "guides/NEW")})
    redirect(moved, "--execute")
    for name in ("docs/OLD.md", "docs/guides/NEW.md"):
        stub = read_stub(name, (moved / name).read_bytes())
        assert stub is not None
        assert stub.target == "docs/guides/NEWER.md"
    assert planned(redirect(moved)) == []


def test_a_stub_follows_when_its_page_moves_again(redirect, moved):
    redirect(moved, "--execute")
    commit(moved)
    move(moved, "docs/guides/NEW.md", "LAST.md")
    done = redirect(moved, "--execute")
    assert planned(done) == [("update", "docs/OLD.md", "LAST.md")]
    assert "](../LAST.md#set-up)" in (moved / "docs/OLD.md").read_text()
    assert planned(redirect(moved)) == []


def test_a_stub_that_was_committed_with_the_move_needs_no_history(redirect, moved):
    """Git sees a page that changed and a new one; the stub itself knows better."""
    redirect(moved, "--execute")
    shutil.rmtree(moved / ".git")
    commit(moved)
    assert planned(redirect(moved)) == []
    write(moved, {"docs/b.md": "[x](OLD.md#brand-new)\n"})
    assert planned(redirect(moved)) == [("update", *CREATE[1:])]


def test_a_page_that_moved_back_needs_none_and_leaves_one_where_it_was(redirect, moved):
    move(moved, "docs/guides/NEW.md", "docs/OLD.md")
    write(moved, {"docs/b.md": LINKS.replace("OLD", "guides/NEW")})
    assert planned(redirect(moved)) == [("create", "docs/guides/NEW.md", "docs/OLD.md")]


def test_a_page_that_was_deleted_gets_none(redirect, check, moved):
    git(moved, "rm", "-q", "docs/guides/NEW.md")
    commit(moved)
    done = redirect(moved)
    assert (planned(done), codes(done)) == ([], [])
    write(moved, {"docs/guides/NEW.md": "# Another page\n"})
    commit(moved)
    assert planned(redirect(moved)) == [], "what stands there now is another page"


def test_a_page_that_was_made_again_needs_none(redirect, moved):
    write(moved, {"docs/OLD.md": "# Mine\n"})
    commit(moved)
    assert planned(redirect(moved, "--promise", "docs/OLD.md")) == []
    git(moved, "rm", "-q", "docs/OLD.md")
    commit(moved)
    assert planned(redirect(moved)) == [], "the newest word about a name counts"


def test_a_page_that_never_was_gets_none(redirect, moved):
    write(moved, {"docs/b.md": LINKS.replace("OLD", "NEVER")})
    assert planned(redirect(moved)) == [CREATE]


def test_too_few_links_and_the_number_that_is_enough(redirect, moved):
    write(moved, {"docs/a.md": "[a](OLD.md) [b](OLD.md)\n"})
    done = redirect(moved)
    assert (done.returncode, planned(done)) == (0, [])
    assert codes(done) == [("redirect_not_worth", "docs/a.md")]
    (step,) = done.report["next_steps"]
    assert "flows.doc_links" in step["command"]
    assert "--fix history --execute" in step["command"]
    enough = redirect(moved, "--min-references", "2")
    assert planned(enough) == [CREATE]
    assert "--min-references 2" in enough.report["next_steps"][0]["command"]


def test_a_rename_by_case_only_is_rewritten(redirect, check, make_workspace):
    root = make_workspace({**TALK, "docs/a.md": LINKS, "docs/OLD.md": OLD})
    commit(root)
    move(root, "docs/OLD.md", "docs/Old.md")
    done = redirect(root, "--execute")
    assert planned(done) == []
    assert codes(done) == [("redirect_refused", "docs/OLD.md")]
    check(root, "--deep", "--fix", "history", "--execute")
    assert (root / "docs/a.md").read_text() == LINKS.replace("OLD", "Old").replace("./", "")


def test_a_shallow_clone_says_so_and_keeps_its_stubs(redirect, moved, tmp_path):
    redirect(moved, "--execute")
    commit(moved)
    write(moved, {"docs/b.md": LINKS.replace("OLD", "never")})
    commit(moved)
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{moved}", str(clone))
    done = redirect(clone)
    assert (done.returncode, planned(done)) == (0, [])
    assert [f["code"] for f in done.report["findings"]] == ["history_incomplete"]
    assert "--unshallow" in done.report["findings"][0]["fix"]


def test_missing_objects_cost_what_they_hold_and_no_more(redirect, moved):
    write(moved, {"docs/NEXT.md": LONG[::-1], "docs/b.md": LINKS.replace("OLD", "NEXT")})
    commit(moved)
    move(moved, "docs/NEXT.md", "docs/next/page.md")
    tree = git(moved, "rev-parse", "HEAD~2:docs")
    (moved / ".git/objects" / tree[:2] / tree[2:]).unlink()
    done = redirect(moved)
    assert planned(done) == [("create", "docs/NEXT.md", "docs/next/page.md")]
    told = done.report["findings"][0]
    assert (told["code"], told["severity"]) == ("history_incomplete", "warning")
    assert "commits lack objects" in told["message"]


def test_without_history_it_is_4_in_one_line(redirect, run_flow, make_workspace, tmp_path):
    root = make_workspace({**TALK, "docs/a.md": LINKS})
    done = redirect(root, "--execute")
    assert done.returncode == 4
    assert "git knows no history of workspace/: fatal: not a git repository" in done.stderr
    assert done.stderr.count("\n") == 1
    commit(root)
    empty = tmp_path / "no-programs"
    empty.mkdir()
    none = redirect(root, env={"PATH": str(empty)})
    assert none.returncode == 4
    assert "git, which knows where pages moved, cannot be asked" in none.stderr
    assert "install git" in none.stderr


def test_a_repository_without_commits_has_no_moves(redirect, make_workspace):
    root = make_workspace(TALK)
    git(root, "init", "-q")
    assert redirect(root).returncode == 0


def test_a_workspace_below_its_repository(redirect, make_workspace):
    root = make_workspace({
        **{f"sub/{name}": text for name, text in TALK.items()},
        "sub/docs/a.md": LINKS, "sub/docs/OLD.md": OLD, "sub/docs/b.md": LINKS.replace("OLD", "X"),
        "sub/docs/X.md": LONG[::-1],
    })  # fmt: skip
    commit(root)
    move(root, "sub/docs/OLD.md", "sub/docs/guides/NEW.md")
    move(root, "sub/docs/X.md", "outside.md")
    assert planned(redirect(root / "sub", "--execute")) == [CREATE]
    assert not (root / "sub/docs/X.md").exists(), "its new place is outside"
