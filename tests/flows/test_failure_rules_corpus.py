"""Mining real failures: reports of real runs, in JSON and in words, and their logs."""

from __future__ import annotations

import json
import shutil

import pytest

pytestmark = pytest.mark.corpus


@pytest.fixture
def root(make_workspace, corpus_source):
    made = make_workspace()
    reports = corpus_source / "failures" / "reports"
    shutil.copytree(reports, made / ".autonomous_runs", copy_function=shutil.copyfile)
    for path in made.rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    return made


@pytest.fixture
def mine(run_flow, root):
    return lambda *words: run_flow(
        "failure_rules", "mine", *words, "--workspace", root, "--engine", "direct", "--json"
    )


def test_ten_real_reports_are_four_groups(mine):
    done = mine()
    assert done.returncode == 0, done.stderr
    assert done.report["counts"]["events"] == 10
    assert done.report["counts"]["groups"] == 4
    assert sorted(group["events"] for group in done.report["groups"]) == [1, 2, 3, 4]


def test_a_list_of_the_reports_is_the_same_four_groups(mine, root):
    before = mine().report["groups"]
    paths = sorted((root / ".autonomous_runs").glob("*/errors/*.json"))
    reports = [json.loads(path.read_text("utf-8")) for path in paths]
    for path in paths[1:]:
        path.unlink()
    paths[0].write_text(json.dumps(reports))
    after = mine().report["groups"]
    assert {g["family"]: g["incidents"] for g in after} == {
        g["family"]: g["incidents"] for g in before
    }


def test_the_summaries_in_words_are_the_same_ten_events(mine, root, corpus):
    errors = root / ".autonomous_runs" / "archived" / "errors"
    archived = corpus / "archive" / "superseded" / "diagnostics" / "errors"
    shutil.copytree(archived, errors)
    done = mine()
    assert done.returncode == 0, done.stderr
    assert done.report["counts"]["events"] == 10
    assert done.report["counts"]["files"] == 10 + len(list(errors.iterdir()))
    keys = {line.split("'x-api-key': '")[1].split("'")[0]
            for path in errors.iterdir() for line in path.read_text("utf-8").splitlines()
            if "'x-api-key': '" in line}  # fmt: skip
    assert keys
    assert not [key for key in keys if key in done.stdout]


def test_the_real_logs_are_mined_without_a_loss(mine, root, corpus):
    logs = root / ".autonomous_runs" / "logs"
    shutil.copytree(corpus / "archive" / "diagnostics" / "logs", logs)
    done = mine()
    assert done.returncode in (0, 1), done.stderr
    assert done.report["counts"]["groups"] > 10
    lost = [f for f in done.report["findings"] if f["code"] not in {"traceback_cut"}]
    assert lost == []
