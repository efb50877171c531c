"""Targets by precedence, and secrets that never show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autopack.errors import UsageError
from autopack.report import Finding, Report
from autopack.settings import (
    Redactor,
    cache_folder,
    database_target,
    mask,
    qdrant_target,
    redact,
    workspace_root,
)
from flows.cli import json_bytes

PASSWORDS = ["simple", "geh#im?x&y", "p@ss", "a/b", "a:b", "ümlaut", "q?a=b@c", "per%40cent"]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("rest", ["/db", "/db?sslmode=require", ":5432/db"])
def test_no_password_survives_masking(password: str, rest: str) -> None:
    url = f"postgresql://user:{password}@host{rest}"
    assert mask(url) == f"postgresql://user:***@host{rest}"
    redactor = Redactor()
    redactor.learn(url)
    if len(password) >= 4:
        assert password not in redactor(f"error at {password} and {url}")


@pytest.mark.parametrize("key", ["password", "PASSWORD", "sslpassword", "api_key", "token"])
def test_secrets_in_the_query_are_masked_too(key: str) -> None:
    url = f"postgresql://host/db?user=u&{key}=s%40cret"
    assert mask(url) == f"postgresql://host/db?user=u&{key}=***"
    redactor = Redactor()
    redactor.learn(url)
    assert redactor("s%40cret s@cret") == "*** ***"


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    target = qdrant_target("embedded", tmp_path, {})
    assert target
    redactor = Redactor()
    redactor.learn_target(target)
    assert redactor(target.url) == target.url


@pytest.mark.parametrize("secret", ["0", "a", "autopack", "sql", "json"])
def test_any_secret_leaves_the_json_report_valid(secret: str, monkeypatch) -> None:
    monkeypatch.setattr(redact, "_secrets", ())
    redact.learn(secret)
    report = Report("sot-sync", findings=[Finding("c", "info", "p", 1, f"says {secret}")])
    shown = json.loads(json_bytes(report))
    assert shown["schema"] == "autopack.report/1"
    assert set(shown["writes"]) == {"sql", "vectors", "files"}
    if len(secret) >= 4:
        assert shown["findings"][0]["message"] == "says ***"


def test_the_flag_wins_then_the_environment_then_sqlite(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "postgres://u:pw@h/env"}
    assert database_target("sqlite:///x.db", tmp_path, env).source == "--database-url"
    assert database_target(None, tmp_path, env).url == "postgresql+psycopg://u:pw@h/env"
    assert database_target(None, tmp_path, {}).url == f"sqlite:///{tmp_path}/autopack.db"
    assert qdrant_target(None, tmp_path, {}) is None
    assert qdrant_target("h:7000", tmp_path, {"QDRANT_HOST": "e"}).url == "http://h:7000"  # type: ignore[union-attr]


@pytest.mark.parametrize("url", ["mysql://h/x", "no url", "://"])
def test_an_unknown_scheme_is_a_usage_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown database scheme"):
        database_target(url, tmp_path, {})


def test_the_password_of_a_prefect_server_is_hidden_in_every_spelling() -> None:
    redactor = Redactor()
    redactor.learn_environment({"PREFECT_API_AUTH_STRING": "operator:long-word"})
    assert redactor("operator:long-word, long-word, b3BlcmF0b3I6bG9uZy13b3Jk") == "***, ***, ***"


@pytest.mark.parametrize(
    ("workspace", "said"),
    [
        ("", "--workspace is empty"),
        ("~nobody-of-this-name/x", "no docs/ folder in '~nobody-of-this-name/x'"),
        ("a" * 300, f"'{'a' * 200}...': File name too long"),
        ("no\0name", "no docs/ folder in "),
        ("nowhere", "no docs/ folder in 'nowhere'"),
    ],
)
def test_a_workspace_that_cannot_be_one_is_a_usage_error(workspace: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        workspace_root(workspace)
    assert told.value.message.startswith(said)


def test_without_a_home_folder_a_cache_must_be_named(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("autopack.settings.user_path", Path)
    with pytest.raises(UsageError, match="no home folder"):
        cache_folder({})
    assert cache_folder({"AUTOPACK_CACHE_DIR": str(tmp_path)}) == tmp_path
