"""The installations that the project ships: compose and systemd, read and checked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments import environment
from tests.support.process import run_bounded
from tests.support.session import REPOSITORY, clean_environment

FOLDER = REPOSITORY / "deployments"
TEXT = (FOLDER / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
UNITS = sorted((FOLDER / "systemd").glob("*.service"))
OF_A_USER = FOLDER / "systemd/user/autopack-serve.service"
OPERATIONS = (REPOSITORY / "docs/operations.md").read_text()
SECRET = re.compile(r"PASSWORD|AUTH|API_KEY")


def used(value: Any) -> Iterator[str]:
    """Yield every `${…}` below a value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from used(item)
    elif isinstance(value, list):
        for item in value:
            yield from used(item)
    elif isinstance(value, str):
        yield from re.findall(r"(?<!\$)\$\{([^}]*)\}", value)


def test_no_secret_has_a_default() -> None:
    variables = set(used(COMPOSE))
    secret = {name for name in variables if SECRET.search(name)}
    assert {re.split(r"[:?-]", name)[0] for name in secret} == {
        "POSTGRES_PASSWORD", "REDIS_PASSWORD", "QDRANT_API_KEY", "PREFECT_AUTH",
    }  # fmt: skip
    assert [name for name in secret if ":?" not in name] == []
    for service in SERVICES.values():
        for key, value in (service.get("environment") or {}).items():
            if SECRET.search(key):
                assert "${" in str(value), key


def test_every_variable_and_every_image_is_explained() -> None:
    header = TEXT.partition("\nname:")[0]
    names = {re.split(r"[:?-]", name)[0] for name in used(COMPOSE)}
    assert {name for name in names if name not in header} == set()
    for name in SERVICES:
        assert f"`{name}`" in OPERATIONS, name


def test_whatever_keeps_running_comes_back_and_is_waited_for_until_it_is_healthy() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == {"migrate": "no", "setup": "on-failure"}.get(
            name, "unless-stopped"
        )
        for other, condition in service.get("depends_on", {}).items():
            healthy = condition["condition"] == "service_healthy"
            assert healthy == ("healthcheck" in SERVICES[other]), (name, other)
    assert {"postgres", "redis", "qdrant", "server"} == {
        name for name, service in SERVICES.items() if "healthcheck" in service
    }


def test_only_the_api_has_a_port_and_that_on_loopback() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "server": ["${AUTOPACK_BIND:-127.0.0.1}:4200:4200"]
    }


def test_state_is_in_volumes() -> None:
    kept = {name: s["volumes"][0].partition(":")[0] for name, s in SERVICES.items() if
            name in COMPOSE["volumes"]}  # fmt: skip
    assert kept == {name: name for name in COMPOSE["volumes"]}


def test_both_server_roles_share_the_settings_that_a_lock_survives_with() -> None:
    ours = environment.server_settings({})
    for name in ("server", "services"):
        given = SERVICES[name]["environment"]
        assert given["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] == "prefect_redis.lease_storage"
        assert given["PREFECT_SERVER_DOCKET_URL"].startswith("redis://")
        for key in ("ANALYTICS_ENABLED", "SERVICES_REPOSSESSOR_LOOP_SECONDS",
                    "EVENTS_RETENTION_PERIOD", "SERVICES_DB_VACUUM_ENABLED",
                    "SERVICES_DB_VACUUM_RETENTION_PERIOD"):  # fmt: skip
            assert given[f"PREFECT_SERVER_{key}"] == ours[f"PREFECT_SERVER_{key}"]
    assert "--no-services" in SERVICES["server"]["command"]
    assert "AUTOPACK_WORKSPACE_ROOTS" in SERVICES["worker"]["environment"]


def test_prefect_knows_every_setting_of_the_compose_file() -> None:
    names = {
        key for service in SERVICES.values() for key in service.get("environment", {})
        if key.startswith("PREFECT_") and not key.startswith("PREFECT_REDIS_")
    }  # fmt: skip
    code = (
        "from prefect.settings.legacy import _get_settings_fields as f; "
        "from prefect.settings import Settings; print('\\n'.join(f(Settings)))"
    )
    import sys

    done = run_bounded([sys.executable, "-c", code], cwd=REPOSITORY, env=clean_environment())
    assert names <= set(done.stdout.split()), names - set(done.stdout.split())


def options(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_comes_back_and_can_do_little(unit: Path) -> None:
    told = options(unit)
    assert told["Restart"] == ["always"]
    assert told["User"] == ["autopack"]
    for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "ProtectKernelModules"):
        assert told[key] == ["yes"], key
    assert told["ProtectSystem"] == ["strict"]
    assert told["CapabilityBoundingSet"] == [""]
    assert told["EnvironmentFile"][0].startswith("/etc/autopack/"), "a secret stands in no unit"
    assert not SECRET.search("".join(told["Environment"]))


def test_the_unit_of_one_machine_stays_down_when_it_was_put_down() -> None:
    told = options(OF_A_USER)
    assert told["Restart"] == ["on-failure"], "`make down` ends with 0"
    assert told["RestartPreventExitStatus"] == ["2 6"]
    assert told["KillMode"] == ["mixed"]
    words = told["ExecStart"][0].split()
    assert words[1:] == ["-m", "deployments.serve", "--workspace", "${AUTOPACK_WORKSPACE}"]
    assert not SECRET.search(OF_A_USER.read_text())


@pytest.mark.parametrize(("file", "service"), [("server", "services"), ("worker", "worker")])
def test_the_settings_for_systemd_are_those_of_the_containers(file: str, service: str) -> None:
    lines = (FOLDER / f"systemd/{file}.env").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    given = {key: str(value) for key, value in SERVICES[service]["environment"].items()}
    assert told.keys() == given.keys()
    places = {"PREFECT_API_URL", "QDRANT_HOST"}
    fixed = {key for key, value in given.items() if "${" not in value} - places
    assert {key: told[key] for key in fixed} == {key: given[key] for key in fixed}
    for key in filter(SECRET.search, told):
        assert re.search(r"PASSWORD$|^KEY$", told[key]), "a secret is for the operator to write"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on PATH")
@pytest.mark.parametrize("unit", [*UNITS, OF_A_USER], ids=lambda unit: unit.name)
def test_systemd_understands_a_unit(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    true = re.sub(r"(/opt|%h)/autopack/.venv/bin/python", "/bin/true", unit.read_text())
    copy.write_text(true)
    env = clean_environment(SYSTEMD_LOG_LEVEL="warning")
    done = run_bounded(["systemd-analyze", "verify", "--man=no", str(copy)], cwd=tmp_path, env=env)
    about = [line for line in done.stderr.splitlines() if unit.stem.strip("@") in line]
    assert (done.returncode, about) == (0, []), done.stderr
