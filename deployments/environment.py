"""The settings of the Prefect server that this project ships; whoever sets one keeps it.

`make serve` starts its server with them, `python -m deployments.server env` prints them for a
service manager, and `deployments/compose.yaml` states those that hold on many machines as well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address

from autopack.errors import Refused, UsageError

HOST, PORT = "127.0.0.1", 4200
_DAY_S = 86_400
EVENTS_DAYS = 30
RUNS_DAYS = 90
"""How long events and flow runs stay in Prefect; the audit chain of a workspace stays for good."""


def server_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Return the settings a server starts with: ours, and over them what `env` says.

    Raises:
        Refused: It would listen to other machines without a password.
        UsageError: The port is no port.
    """
    host, port = env.get("PREFECT_SERVER_API_HOST") or HOST, api_port(env)
    if not is_loopback(host) and not env.get("PREFECT_SERVER_API_AUTH_STRING"):
        raise Refused(
            f"the server would listen on {host} and let everybody in",
            next_step="set PREFECT_SERVER_API_AUTH_STRING=user:password, or leave "
            "PREFECT_SERVER_API_HOST on 127.0.0.1",
        )
    ours = {
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_API_HOST": host,
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_UI_URL": local_url(env).removesuffix("/api"),
        # The default lets any web page that an operator looks at call the API.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": ",".join(
            f"http://{name}:{port}" for name in dict.fromkeys(("127.0.0.1", "localhost", host))
        ),
        # A lease kept in memory would be lost, and its slot never freed, when the server restarts.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "PREFECT_SERVER_SERVICES_REPOSSESSOR_LOOP_SECONDS": "5",
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{EVENTS_DAYS}D",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(RUNS_DAYS * _DAY_S),
    }
    return {name: env.get(name) or value for name, value in ours.items()}


def api_port(env: Mapping[str, str]) -> int:
    """Return the port of the local server.

    Raises:
        UsageError: `PREFECT_SERVER_API_PORT` is no port.
    """
    given = env.get("PREFECT_SERVER_API_PORT") or str(PORT)
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 65536:
        raise UsageError(
            f"PREFECT_SERVER_API_PORT={given!r} is no port", next_step="use a number like 4201"
        )
    return int(given)


def local_url(env: Mapping[str, str]) -> str:
    """Return where this machine reaches the server that it starts."""
    host = env.get("PREFECT_SERVER_API_HOST") or HOST
    return f"http://{HOST if host in ('0.0.0.0', '::') else host}:{api_port(env)}/api"  # noqa: S104


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def client_credentials(env: Mapping[str, str]) -> str | None:
    """Return what this machine's own clients log in with: their own setting, else the server's."""
    own = env.get("PREFECT_API_AUTH_STRING")
    return own or env.get("PREFECT_SERVER_API_AUTH_STRING") or None


def shown(settings: Mapping[str, str]) -> str:
    """Return settings as lines of an environment file."""
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def current() -> dict[str, str]:
    """Return the settings for this process's environment."""
    return server_settings(os.environ)
