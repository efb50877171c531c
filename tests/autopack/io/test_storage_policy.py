"""Policies on disk: which one holds, errors with their line, and the older formats."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from autopack.errors import Refused, UsageError
from autopack.io.storage_policy import (
    Read,
    import_policies,
    packaged,
    protection_of,
    read_policy,
)
from autopack.storage.policy import OWN, Policy
from autopack.storage.policy_old import OLD_NAMES
from autopack.storage.protection import Protection
from tests.support import corpus
from tests.support.session import REPOSITORY


def own(root: Path, text: str, name: str = OWN) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_the_packaged_policy_protects_and_executes_nothing(tmp_path: Path) -> None:
    read = read_policy(tmp_path)
    assert read == Read(packaged(), "the packaged policy")
    assert read.policy.execution == "disabled"
    protection = Protection(read.policy)
    for path in (
        "src/a",
        "docs/x.md",
        "README.md",
        "pyproject.toml",
        "config/x",
        "a/.env",
        "k.pem",
    ):
        assert protection.reason(path), path
    assert protection.reason("a/node_modules") is None


def test_the_own_file_is_laid_over_the_packaged_one(tmp_path: Path) -> None:
    own(tmp_path, "execution: enabled\nprotected: {sources: [lib/**], mine: [x]}\ngrace_days: 9\n")
    read = read_policy(tmp_path)
    assert (read.path, read.policy.execution, read.policy.grace_days) == (OWN, "enabled", 9)
    assert read.policy.categories == packaged().categories
    protection = Protection(read.policy)
    for path in ("src/a", "lib/a", "x", "docs/a"):
        assert protection.reason(path), path


def test_own_categories_take_the_place_of_the_packaged_ones(tmp_path: Path) -> None:
    own(tmp_path, "categories: {logs: {match: ['*.log']}}\n")
    assert list(read_policy(tmp_path).policy.categories) == ["logs"]
    own(tmp_path, "categories: {}\n")
    assert read_policy(tmp_path).policy.categories == {}


def test_a_named_file_wins_and_may_be_json(tmp_path: Path) -> None:
    own(tmp_path, "grace_days: 9\n")
    path = own(tmp_path, '{"grace_days": 3}', "other.json")
    read = read_policy(tmp_path, str(path))
    assert (read.policy.grace_days, read.path) == (3, str(path))


def test_how_it_is_written_does_not_change_what_it_is(tmp_path: Path) -> None:
    one = read_policy(tmp_path, str(own(tmp_path, '{"grace_days": 3, "retries": 1}', "a.json")))
    other = read_policy(
        tmp_path, str(own(tmp_path, "# why\nretries: 1\n\ngrace_days: 3\n", "b.yaml"))
    )
    assert one.policy.sha256 == other.policy.sha256


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("execution: maybe\n", "1:12", "execution: must be 'disabled' or 'enabled'"),
        ("grace_days: 7\nexecutoin: enabled\n", "2:1", "unknown key 'executoin'"),
        ("protected:\n  a:\n    - '!x'\n", "3:7", "negation"),
        ("categories:\n  a:\n    older_than_days: 3\n", "2:3", "missing key 'match'"),
        ("categories:\n  a:\n    match: ['**']\n    action: quarantine\n", "2:3", "everything"),
        ("grace_days: [\n", "2:1", "not YAML"),
        ("a: 1\na: 2\n", "2:1", "stands twice"),
        ("a: &x 1\n", "1:4", "anchor"),
        ("", "1:1", "empty"),
        ("- a\n", "1:1", ""),
    ],
)
def test_an_error_names_the_line_and_what_is_wrong(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    own(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        read_policy(tmp_path)
    assert raised.value.message.startswith(f"{OWN}:{place}"), raised.value.message
    assert words in raised.value.message
    assert "\n" not in raised.value.message
    assert raised.value.next_step


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        read_policy(tmp_path, str(tmp_path / "absent.yaml"))


def test_a_link_is_no_policy(tmp_path: Path) -> None:
    path = own(tmp_path, "execution: enabled\n", "elsewhere.yaml")
    (tmp_path / "config").mkdir()
    os.symlink(path, tmp_path / OWN)
    with pytest.raises(Refused):
        read_policy(tmp_path)


def test_this_repositorys_own_policy_is_one() -> None:
    read = read_policy(REPOSITORY)
    assert read.path == OWN
    assert read.policy.execution == "disabled"


def test_what_is_protected_does_not_depend_on_where_the_scan_begins(tmp_path: Path) -> None:
    policy = packaged()
    workspace = tmp_path / "home" / "it"
    (workspace / "src").mkdir(parents=True)
    os.symlink(workspace, tmp_path / "link")
    for home in (workspace, tmp_path / "link"):
        assert protection_of(policy, home, workspace).reason("src/a")
        assert protection_of(policy, home, workspace / "src").reason("a")
        assert protection_of(policy, home, tmp_path).reason("home/it/src/a")
        assert protection_of(policy, home, tmp_path).reason("home/other/src/a") is None
        assert protection_of(policy, home, Path("/")).reason(f"{str(workspace)[1:]}/src/a")


def test_state_of_another_workspace_is_protected_wherever_the_scan_begins(tmp_path: Path) -> None:
    policy, home, other = Policy(), tmp_path / "it", tmp_path / "other"
    for root, path in (
        (other / ".git", "objects/x"),
        (other / ".autopack-quarantine", "run/1"),
        (other / ".autopack-quarantine/run", "1"),
        (other / ".autonomous_runs", "storage/run/journal.jsonl"),
        (other / "docs", "DEBUG_LOG.md"),
    ):
        protection = protection_of(policy, home, root)
        assert protection.reason(path), root
        assert protection.first(["x", path] if root.name == "docs" else [path]), root
    assert protection_of(policy, home, other / "docs").reason("x") is None


# --- older formats --------------------------------------------------------------------------------

ONE = """\
version: "1.0"
paths:
  protected_globs: [src/**, .autonomous_runs/*/checkpoints/**]
  pinned_globs: [keep/**]
retention_days:
  runs: {compress_after: 30, delete_after: 180, delete_requires_approval: true}
categories:
  dev_caches:
    match_globs: ["**/node_modules/**", "**/.venv/**"]
    allowed_actions:
      delete: {enabled: true, requires_approval: false}
      compress: {enabled: true, requires_approval: false}
    execution_limits: {max_gb_per_run: 50, max_files_per_run: 10, max_retries: 3,
      retry_backoff_seconds: [2]}
  runs:
    match_globs: [.autonomous_runs/**/runs/**]
    allowed_actions: {delete: {enabled: true, requires_approval: true}}
    surprise: 1
  archive_buckets:
    match_globs: [archive/reports/**]
    allowed_actions: {delete: {enabled: true, requires_approval: true}}
  temp:
    match_globs: ["*.tmp"]
    allowed_actions: {delete: {enabled: true, requires_approval: true}}
  unknown:
    match_globs: ["**"]
    allowed_actions: {delete: {enabled: true, requires_approval: true}}
coordination: {must_preserve_for_reuse: [docs/**], recommended_order: [a]}
"""
OTHER = """\
version: "1.0"
protected_paths:
  description: "never"
  databases: ["*.db"]
retention:
  medium: {age_days: 120, paths: ["**/node_modules/**", /tmp/**, "C:/Users/*/Temp/**"]}
  permanent: {description: d, paths: [archive/superseded/**]}
categories:
  dev_caches:
    patterns: ["**/node_modules/**"]
    retention_days: 90
    allowed_actions: {delete: {enabled: true, requires_approval: true}}
    execution_limits: {max_gb_per_run: 20, max_files_per_run: 1000, max_retries: 2}
  archive_buckets:
    patterns: [archive/reports/**]
    retention_days: null
    allowed_actions: {delete: {enabled: false, requires_approval: true}}
unheard: {a: 1}
"""


@pytest.fixture
def both(tmp_path: Path) -> Read:
    for name, text in zip(OLD_NAMES, (ONE, OTHER), strict=True):
        own(tmp_path, text, name)
    return read_policy(tmp_path)


def told(read: Read, code: str) -> list[str]:
    return [found.message for found in read.findings if found.code == code]


def test_both_older_formats_come_to_one_policy(both: Read) -> None:
    policy = both.policy
    assert policy.execution == "disabled"
    assert policy.pinned == ["keep/**"]
    for name in ("protected_globs", "databases", "must_preserve_for_reuse", "retention_permanent"):
        assert policy.protected[name], name
    protection = Protection(policy)
    for path in ("src", "a/x.db", "archive/superseded/a", "docs/a", "keep", "README.md",
                 ".autonomous_runs/p/deep/checkpoints/a"):  # fmt: skip
        assert protection.reason(path), path


def test_where_they_disagree_the_safer_one_holds_and_that_is_said(both: Read) -> None:
    caches = both.policy.categories["dev_caches"]
    assert caches.match == ["**/node_modules/**"]
    assert (caches.older_than_days, caches.action) == (120, "quarantine")
    assert (caches.caps.max_bytes, caches.caps.max_items) == (20 * 10**9, 10)
    assert both.policy.retries == 2
    said = " ".join(told(both, "policy_safer"))
    for words in ("ages of 90 and 120", "only one file names **/.venv/**", "max_bytes", "max_items",
                  "archive_buckets: not every file", "an approval is always required"):  # fmt: skip
        assert words in said, words


def test_what_never_goes_is_only_reported(both: Read) -> None:
    for name in ("archive_buckets", "temp", "unknown"):
        category = both.policy.categories[name]
        assert (category.action, category.older_than_days) == ("report", None), name
    assert list(both.policy.categories)[-1] == "unknown"
    assert both.policy.categories["dev_caches_reported"].match == ["**/.venv/**"]


def test_each_thing_in_a_named_folder_is_an_item(both: Read) -> None:
    runs = both.policy.categories["runs"]
    assert (runs.match, runs.older_than_days) == ([".autonomous_runs/**/runs/*"], 180)


def test_nothing_is_dropped_in_silence(both: Read) -> None:
    assert told(both, "policy_unknown_key") == [
        "unknown key 'surprise': it is not imported",
        "unknown key 'unheard': it is not imported",
    ]
    assert len(told(both, "policy_unsupported_action")) == 2
    assert len(told(both, "policy_unused_key")) == 2
    assert "/tmp/**" in told(both, "policy_absolute_glob")[0]
    assert "C:/Users" in told(both, "policy_windows_glob")[0]
    at = {found.message: (found.path, found.line) for found in both.findings}
    assert at["unknown key 'surprise': it is not imported"] == (OLD_NAMES[0], 18)
    assert at["unknown key 'unheard': it is not imported"] == (OLD_NAMES[1], 18)


def test_an_own_file_comes_before_the_older_ones(both: Read, tmp_path: Path) -> None:
    own(tmp_path, "grace_days: 2\n")
    read = read_policy(tmp_path)
    assert (read.path, read.findings) == (OWN, ())
    assert both.path == " and ".join(OLD_NAMES)


def test_an_older_file_can_be_named(tmp_path: Path) -> None:
    path = own(tmp_path, OTHER, "old.yaml")
    assert read_policy(tmp_path, str(path)).policy.categories["dev_caches"].older_than_days == 120
    assert import_policies([str(path)]) == read_policy(tmp_path, str(path))
    with pytest.raises(UsageError, match="no policy of an older format"):
        import_policies([str(own(tmp_path, "grace_days: 1\n", "new.yaml"))])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paths: {protected_globs: src}\n", ":1: paths.protected_globs: must be a list"),
        ("paths:\n  protected_globs: ['!a']\n", ":2: paths.protected_globs.0: the glob '!a'"),
        (
            "retention:\n  a: {age_days: soon, paths: [a]}\n",
            ":2: retention.a.age_days: must be a whole",
        ),
        ("retention: [a]\n", ":1: retention: must be a mapping"),
        ("paths: {}\ncategories: {a: 1}\n", ":2: categories.a: must be a mapping"),
    ],
)
def test_an_older_file_with_a_fault_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    own(tmp_path, text, OLD_NAMES[0])
    with pytest.raises(UsageError) as raised:
        read_policy(tmp_path)
    assert f"{OLD_NAMES[0]}{words}" in raised.value.message


@pytest.mark.corpus
@pytest.mark.skipif(not corpus.present(), reason=corpus.ABSENT)
def test_the_real_workspaces_two_files_come_to_one_policy(tmp_path: Path) -> None:
    root = corpus.lay_out(tmp_path / "real")
    read = read_policy(root)
    assert read.path == " and ".join(OLD_NAMES)
    assert told(read, "policy_unknown_key") == []
    assert Policy.model_validate(read.policy.plain()).sha256 == read.policy.sha256
    going = {name for name, one in read.policy.categories.items() if one.action == "quarantine"}
    assert going == {"dev_caches", "diagnostics_logs"}
    assert "**/.venv/**" not in read.policy.categories["dev_caches"].match
    protection = Protection(read.policy)
    for path in (
        "src",
        "tests/a.ts",
        "config",
        "autopack.db",
        "archive/superseded",
        "x/y.py",
        "venv",
    ):
        assert protection.reason(path), path
