"""A phase that is begun anew: what it did before is not compared, and that is said."""

from __future__ import annotations

import pytest

from tests.support.phase_commands import codes, lay_out_passing, runner
from tests.support.phase_runs import lay_out


@pytest.fixture
def root(tmp_path):
    return lay_out(tmp_path / "ws")


@pytest.fixture
def phase(run_flow, root):
    """Return `phase("begin", ...)`: run a subcommand on the spec beside the workspace."""

    def run(what, *words):
        where = ("--workspace", root, "--engine", "direct", "--json")
        return run_flow("phase_check", what, root.parent / "plan.json", *words, *where)

    return run


def take_away(root):
    next((root / ".autonomous_runs/phases").glob("*.json")).unlink()


AGAIN = {
    "with --again": (lambda root: None, ("--again",)),
    "after its snapshot was taken away": (take_away, ()),
}


@pytest.mark.parametrize("how", AGAIN)
def test_a_phase_cannot_begin_itself_anew_unseen(how, phase, root):
    do, flags = AGAIN[how]
    digest = phase("begin").report["phase"]["snapshot_sha256"]
    (root / "evil.txt").write_text("of the phase")
    do(root)
    begun = phase("begin", *flags)
    assert (begun.returncode, codes(begun)) == (0, ["PS732"] if flags else [])
    warned = phase("end")
    assert (warned.returncode, codes(warned)) == (0, ["PS732"])
    assert warned.report["findings"][0]["severity"] == "warning"
    assert phase("end", "--strict").returncode == 1
    refused = phase("end", "--digest", digest, "--execute")
    assert refused.returncode == 6, refused.stdout
    assert "begun anew since" in refused.report["message"]
    mine = phase("end", "--digest", begun.report["phase"]["snapshot_sha256"])
    assert (mine.returncode, codes(mine)) == (0, []), (
        "whoever begins anew and says so is not warned"
    )


def test_each_beginning_is_told_until_one_ended_clean(phase, root):
    for flags in ((), ("--again",), ("--again",)):
        run = phase("begin", *flags).report["phase"]["run"]
    (told,) = phase("end", "--execute").report["findings"]
    assert told["code"] == "PS732"
    assert told["message"].count("-app-change-") == 2
    assert run not in told["message"]
    phase("begin")
    assert codes(phase("end", "--execute")) == []


def test_an_open_phase_says_what_beginning_anew_means(phase):
    phase("begin")
    assert "from what is there now with --again" in phase("begin").report["message"]


def test_a_run_that_begins_anew_says_it_once(run_flow, tmp_path):
    root = lay_out_passing(tmp_path / "passing")
    run = runner(run_flow, root)
    where = (root.parent / "plan.json", "--workspace", root, "--engine", "direct", "--json")
    assert run_flow("phase_check", "begin", *where).returncode == 0
    assert codes(run("pass", "--again")) == ["PS732"]
