"""The phase check as its users run it: files, findings, drafts, a pipe of paths."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from autopack.phases.codes import CODES, code_table
from tests.support.phase_paths import ATTACKS, GOOD, SCOPE
from tests.support.phase_specs import FILES, GONE, spoiled
from tests.support.phase_specs import GOOD as SPEC
from tests.support.process import Finished
from tests.support.session import REPOSITORY, clean_environment


@pytest.fixture
def root(make_workspace):
    return make_workspace(dict.fromkeys(FILES, "x\n"))


@pytest.fixture
def check(run_flow, root):
    """Return `check(*words)`: run the validation on the workspace without an engine."""

    def run(*words, stdin: bytes = b"", form="--json") -> Finished:
        where = ("--workspace", root, "--engine", "direct", *([form] if form else []))
        return run_flow("phase_check", "validate", *words, *where, stdin=stdin)

    return run


@pytest.fixture
def put(root):
    """Return `put(value, name)`: write a spec beside the workspace's files, indented."""

    def write(value, name="plan.json"):
        path = root / name
        text = value if isinstance(value, (str, bytes)) else json.dumps(value, indent=2)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def test_good_specs_are_clean(check, put):
    done = check(put(SPEC), put({"phases": [SPEC]}, "b.json"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.report["findings"] == []
    assert done.report["counts"] == {"files": 2, "phases": 2, "accepted": 2, "codes": {}}


def test_every_error_is_told_with_code_line_column_and_phase(check, put):
    bad = spoiled(("budget", GONE), ("scope.paths", ["/etc/passwd"]))
    done = check(put({"phases": [SPEC, {**bad, "phase_id": "second"}]}))
    assert done.returncode == 1
    told = [(f["code"], f["line"], f["column"], f["phase"]) for f in done.report["findings"]]
    assert told == [("PS101", 33, 5, "second"), ("PS202", 37, 11, "second")]
    assert {f["path"] for f in done.report["findings"]} == {"plan.json"}
    (step,) = done.report["next_steps"]
    assert step["command"].startswith("python -m flows.phase_check validate ")


def test_text_and_sarif_say_where(check, put):
    bad = put(spoiled(("budget.files", GONE)))
    text = check(bad, form=None)
    assert "plan.json:24:3: error PS101: missing key 'files'" in text.stdout
    sarif = json.loads(check(bad, "--format", "sarif", form=None).raw)
    (result,) = sarif["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 24, "startColumn": 3}
    assert place["artifactLocation"]["uri"] == "plan.json"


def test_yaml_is_read_too(check, put):
    text = """phase_id: app
scope:
  paths: [src/app/]
  read_only_context: [README.md]
validation: {argv: [pytest, -q], timeout_seconds: 60}
budget: {tokens: 1, seconds: 60, files: 1, line: 1}
"""
    done = check(put(text, "plan.yaml"))
    told = [(f["code"], f["line"], f["column"]) for f in done.report["findings"]]
    assert told == [("PS101", 6, 1), ("PS102", 6, 44)]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "PS001"), (b"\xef\xbb\xbf{}", "PS002"), (b"{", "PS003"), (b"[" * 500_000, "PS004"),
        (b" " * (2 << 20), "PS004"), (b'{"a": 1, "a": 2}', "PS005"), (b'{"a": NaN}', "PS006"),
        (b'{"a": 1' + b"0" * 10_000 + b"}", "PS006"), (b"3", "PS008"), (b'"\\ud800"', "PS008"),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_what_is_no_spec_is_one_finding_and_no_traceback(check, put, data, code):
    done = check(put(data))
    (finding,) = done.report["findings"]
    assert (done.returncode, finding["code"], done.stderr) == (1, code, "")
    assert finding["line"] >= 1
    assert finding["column"] >= 1


def test_a_lone_surrogate_is_told_and_printed(check, put):
    done = check(put(json.dumps(spoiled(("scope.paths", ["src/\ud800"])))), form=None)
    assert done.returncode == 1
    assert "PS204" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no file is named"),
        (("gone.json",), "gone.json does not exist"),
        (("--paths-stdin",), "--scope is missing"),
        (("x.json", "--scope", "docs/"), "--paths-stdin is missing"),
        (("--paths-stdin", "--scope", "!docs/"), "--scope '!docs/': PS301"),
        (("--paths-stdin", "--draft", "--scope", "docs/"), "--paths-stdin judges paths"),
        (("a.json", "b.json", "--draft"), "--draft completes one file"),
        (("--draft", "--policy", "gone.yaml"), "gone.yaml does not exist"),
    ],
)
def test_a_wrong_command_line_is_2_in_one_line(check, words, said):
    done = check(*words, form=None)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_warning_counts_under_strict_only(check, put):
    twice = put([SPEC, SPEC])
    assert check(twice).returncode == 0
    assert check(twice, "--strict").returncode == 1


# --- the policy -------------------------------------------------------------------------------


def test_the_workspaces_own_policy_holds_and_a_named_one_takes_its_place(check, put, root):
    (root / "config/phase_policy.yaml").write_text("ceilings: {phase: {files: 1}}\n")
    spec = put(SPEC)
    assert [f["code"] for f in check(spec).report["findings"]] == ["PS502"]
    other = put("protected: [src/app/main.py]\n", "other.yaml")
    assert [f["code"] for f in check(spec, "--policy", other).report["findings"]] == ["PS303"]


def test_a_bad_policy_is_2_with_its_line(check, put, root):
    (root / "config/phase_policy.yaml").write_text("protected:\n  - docs/\n  - ../x\n")
    done = check(put(SPEC), form=None)
    assert done.returncode == 2
    assert "config/phase_policy.yaml:3:5: protected[1]: '../x'" in done.stderr


# --- drafts -----------------------------------------------------------------------------------


def test_a_draft_is_refused_until_it_is_filled_in_by_hand(check, put):
    done = check(put({"id": "a", "scope": {"paths": ["src/app/"]}}), "--draft", form=None)
    assert (done.returncode, done.stderr) == (0, "")
    draft = json.loads(done.raw)
    again = check(put(draft, "draft.json"))
    assert {f["code"] for f in again.report["findings"]} == {"PS106"}
    draft["scope"]["read_only_context"] = ["README.md"]
    draft["validation"] = {"argv": ["pytest", "-q"], "timeout_seconds": 60}
    draft["budget"] = {"tokens": 1000, "seconds": 60, "files": 2, "lines": 50}
    assert check(put(draft, "draft.json")).returncode == 0


def test_a_draft_without_a_file_begins_one(check):
    done = check("--draft")
    assert set(done.report["draft"]["phases"][0]) == {"phase_id", "scope", "validation", "budget"}


# --- a pipe of paths --------------------------------------------------------------------------

EVERY = [path for kind in ATTACKS for path in ATTACKS[kind] if "\n" not in path]


def lines(paths) -> bytes:
    return b"".join(path.encode("utf-8", "surrogateescape") + b"\n" for path in paths)


def test_a_pipe_of_attacks_gets_a_code_for_each_line(check):
    done = check("--paths-stdin", "--scope", *SCOPE, stdin=lines(EVERY), form=None)
    verdicts = done.stdout.splitlines()
    assert done.returncode == 1
    assert len(verdicts) == len(EVERY) >= 200
    assert set(verdicts) <= CODES.keys()


def test_a_pipe_of_good_paths_is_ok_line_by_line(check):
    done = check("--paths-stdin", "--scope", *SCOPE, stdin=lines(GOOD), form=None)
    assert (done.returncode, done.stdout) == (0, "ok\n" * len(GOOD))


def test_links_are_looked_at_in_the_workspace(check, root):
    (root / "docs/link").symlink_to("../src", target_is_directory=True)
    (root / "docs/second.md").hardlink_to(root / "src/app/main.py")
    names = ["docs/link/app/main.py", "docs/second.md", "docs/INDEX.md", "docs"]
    done = check("--paths-stdin", "--scope", "docs/", stdin=lines(names), form=None)
    assert done.stdout.split() == ["PS211", "PS212", "ok", "PS214"]


def test_the_report_of_a_pipe_is_json_when_asked(check):
    done = check("--paths-stdin", "--scope", "docs/", stdin=b"docs/a\n../b\n")
    assert done.report["paths"] == [
        {"path": "docs/a", "verdict": "ok"},
        {"path": "../b", "verdict": "PS201"},
    ]
    assert [(f["code"], f["line"]) for f in done.report["findings"]] == [("PS201", 2)]


def test_a_verdict_is_there_before_the_next_path_is_asked(root):
    child = subprocess.Popen(
        [sys.executable, "-m", "flows.phase_check", "validate", "--paths-stdin",
         "--scope", "docs/", "--workspace", str(root), "--engine", "direct"],
        cwd=REPOSITORY, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin
    assert child.stdout
    for path, verdict in ((b"docs/a\n", b"ok\n"), (b"/x\n", b"PS202\n"), (b"\n", b"PS201\n")):
        child.stdin.write(path)
        child.stdin.flush()
        assert child.stdout.readline() == verdict
    child.stdin.close()
    assert child.wait(60) == 1
    assert child.stdout.read() == b""
    child.stdout.close()


# --- the rest ---------------------------------------------------------------------------------


def test_the_schema_is_printed(run_flow):
    done = run_flow("phase_check", "schema", "--engine", "direct")
    assert json.loads(done.raw)["title"] == "Autopack phase spec"


def test_the_page_has_the_codes_that_the_code_has():
    page = (REPOSITORY / "docs/phase_check.md").read_text()
    assert code_table() in page, "print autopack.phases.codes.code_table() again"


def test_other_flows_start_without_the_model():
    script = (
        "import sys, flows.phase_check; print({'pydantic', 'pathspec', 'prefect'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=clean_environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "set()\n"


def test_the_pages_good_spec_is_good_and_its_bad_one_bad(check, put, root):
    (root / "docs/schema.md").write_text("x")
    page = (REPOSITORY / "docs/phase_check.md").read_text()
    shape, bad, good = re.findall(r"```json\n(.*?)```", page, re.S)
    for spec in (shape.replace('"docs/", "reason"', '"docs/INDEX.md", "reason"'), good):
        assert check(put(spec)).report["findings"] == []
    text = check(put(bad), form=None).stdout
    (told,) = re.findall(r"```text\n(plan.json.*?)```", page, re.S)
    for line in told.splitlines():
        assert line.rstrip("…") in text
