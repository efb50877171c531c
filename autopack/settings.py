"""Which database and which Qdrant a run targets, and how to show them without secrets."""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, unquote_plus

from autopack.errors import UsageError
from autopack.state_files import DATABASE, INDEXES

SHORTEST = 4
"""Characters a secret must have to be taken out of running text."""
LONGEST = 200
"""Characters of a path that are shown when it is wrong."""
_SECRET_KEYS = re.compile(r"pass(word|wd|file)?|token|secret|api[-_]?key|sslkey|auth_string", re.I)
_SECRET_WORD = re.compile(
    r"([\w-]*(?:pass(?:word)?|token|secret|api[-_]?key)[\w-]*(?:=|\s+(?=[^\s-])))[^\s'\"]+", re.I
)
_URL = re.compile(r"^(?P<scheme>[A-Za-z][\w+.-]*)://(?P<rest>.*)$", re.S)


@dataclass(frozen=True)
class Target:
    """One place a run may read or write: `url` connects, `shown` is safe to print."""

    url: str = field(repr=False)
    shown: str
    source: str
    api_key: str | None = field(default=None, repr=False)

    @property
    def named(self) -> str:
        """The target as a report prints it, and where it was named."""
        return f"{self.shown} ({self.source})"


def mask_command(words: Sequence[str]) -> str:
    """Return a command line as it may be shown: passwords in URLs, flags and variables hidden."""
    shown, hide = [], False
    for word in words:
        masked = re.sub(r"[A-Za-z][\w+.-]*://[^\s'\"]+", lambda url: mask(url[0]), word)
        masked = _SECRET_WORD.sub(r"\1***", masked)
        shown.append("***" if hide else masked)
        hide = word.startswith("-") and "=" not in word and bool(_SECRET_KEYS.search(word))
    return redact(" ".join(shown))


def workspace_root(workspace: str) -> Path:
    """Return the checkout's root; it must hold `docs/`.

    Raises:
        UsageError: There is no `docs/` folder below it, or none that may be seen; or it is "",
            which a variable that is not set gives, and which would be the current folder.
    """
    root = user_path(workspace)
    if not workspace or not os.path.isdir(root / "docs"):
        raise UsageError(
            _no_workspace(workspace, root),
            next_step="pass --workspace PATH of a checkout that holds docs/",
        )
    return root.resolve()


def _no_workspace(workspace: str, root: Path) -> str:
    shown = repr(workspace if len(workspace) <= LONGEST else f"{workspace[:LONGEST]}...")
    if not workspace:
        return "--workspace is empty"
    try:
        os.stat(root / "docs")
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a null byte
        pass
    except OSError as error:
        return f"{shown}: {error.strerror}"
    return f"no docs/ folder in {shown}"


def user_path(name: str) -> Path:
    """Return a path whose `~` is resolved; that of a user who does not exist stays as it is."""
    return Path(os.path.expanduser(name))


def cache_folder(env: Mapping[str, str] | None = None) -> Path:
    """Return where this user's caches are: `AUTOPACK_CACHE_DIR`, else the system's place for them.

    That is `$XDG_CACHE_HOME/autopack` or `~/.cache/autopack` (XDG Base Directory), with their
    counterparts on macOS and Windows. The folder may not be there yet.

    Raises:
        UsageError: The system's place is in the home folder, and this user has none.
    """
    env = os.environ if env is None else env
    if env.get("AUTOPACK_CACHE_DIR"):
        return user_path(env["AUTOPACK_CACHE_DIR"]).absolute()  # tools start in other folders
    if os.name == "nt" and env.get("LOCALAPPDATA"):
        return Path(env["LOCALAPPDATA"]) / "autopack" / "Cache"
    if sys.platform == "darwin":
        return _at_home("~/Library/Caches") / "autopack"
    base = env.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else _at_home("~/.cache")) / "autopack"


def _at_home(name: str) -> Path:
    path = user_path(name)
    if not path.is_absolute():
        raise UsageError("this user has no home folder", next_step="set AUTOPACK_CACHE_DIR")
    return path


def audit_key(env: Mapping[str, str] | None = None) -> Path | None:
    """Return the private key that signs the audit chain's head: `AUTOPACK_AUDIT_KEY`, else none."""
    env = os.environ if env is None else env
    named = env.get("AUTOPACK_AUDIT_KEY")
    return Path(named).expanduser() if named else None


def database_target(flag: str | None, root: Path, env: Mapping[str, str] | None = None) -> Target:
    """Return the database by precedence: `--database-url`, `DATABASE_URL`, SQLite in the workspace.

    Raises:
        UsageError: The URL's scheme is neither PostgreSQL nor SQLite.
    """
    env = os.environ if env is None else env
    for value, source in ((flag, "--database-url"), (env.get("DATABASE_URL"), "DATABASE_URL")):
        if value:
            return Target(_database_url(value, source, root), mask(value), source)
    path = root / DATABASE
    return Target(f"sqlite:///{path}", f"sqlite:///{path}", "default (DATABASE_URL is unset)")


def _database_url(value: str, source: str, root: Path) -> str:
    scheme, separator, rest = value.partition("://")
    if separator and scheme in {"postgres", "postgresql", "postgresql+psycopg"}:
        return f"postgresql+psycopg://{rest}"
    if separator and scheme == "sqlite":
        path = rest.removeprefix("/")
        return f"sqlite:///{root / path}" if path else "sqlite://"
    shown = scheme if separator else "a value without ://"
    raise UsageError(
        f"{source}: unknown database scheme ({shown})",
        next_step="use postgresql://user:password@host/name or sqlite:///file.db",
    )


def qdrant_target(
    flag: str | None, root: Path, env: Mapping[str, str] | None = None
) -> Target | None:
    """Return Qdrant by precedence: `--qdrant-host`, `QDRANT_HOST`; None when neither is set.

    `embedded` (the engine inside this process), a URL, a host or host:port. The key is
    `QDRANT_API_KEY`.

    Raises:
        UsageError: The value is no host, host:port or http(s) URL.
    """
    env = os.environ if env is None else env
    for value, source in ((flag, "--qdrant-host"), (env.get("QDRANT_HOST"), "QDRANT_HOST")):
        if value == "embedded":
            return Target(str(root / INDEXES / "qdrant"), "embedded", source)
        if value:
            url = _qdrant_url(value, source)
            return Target(url, mask(url), source, env.get("QDRANT_API_KEY") or None)
    return None


def _qdrant_url(value: str, source: str) -> str:
    if re.match(r"https?://[^/\s]+", value):
        return value
    host = re.fullmatch(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?", value)
    if not host or int(host["port"] or 1) > 65535:
        raise UsageError(
            f"{source}: {mask(value)!r} is no host, host:port or http(s) URL",
            next_step="use embedded, localhost:6333 or https://host:6333",
        )
    return f"http://{host['host']}:{host['port'] or 6333}"


def mask(url: str) -> str:
    """Return the URL with its password, and any secret in its query, shown as `***`.

    Drivers differ on where a password with raw `/`, `?` or `@` ends; the last `@` hides them all.
    """
    match = _URL.match(url)
    if not match:
        return re.sub(r"[^@\s]*@", "***@", url)
    userinfo, at, rest = match["rest"].rpartition("@")
    user, colon, _ = userinfo.partition(":")
    rest, question, query = rest.partition("?")
    masked = "&".join(mask_pair(pair) for pair in query.split("&"))
    shown = f"{user}{':***' if colon else ''}{at}"
    return f"{match['scheme']}://{shown}{rest}{question}{masked}"


def mask_pair(pair: str) -> str:
    """Return one `key=value` of a query with its value hidden if the key is a secret's."""
    key, equals, _ = pair.partition("=")
    return f"{key}=***" if equals and _SECRET_KEYS.search(unquote(key)) else pair


def secrets_of(url: str) -> set[str]:
    """Return every spelling of the secrets inside a URL, wherever a driver may end them."""
    match = _URL.match(url)
    if not match:
        return set()
    found = {
        pair.partition("=")[2]
        for pair in re.split(r"[?&]", match["rest"])
        if _SECRET_KEYS.search(unquote(pair.partition("=")[0]))
    }
    user = ""
    for end in (match["rest"].find("@"), match["rest"].rfind("@")):
        if end >= 0:
            user, _, password = match["rest"][:end].partition(":")
            found.add(password)
    # A password equal to the user name hides nothing, and masking it would garble messages.
    return {s for raw in found for s in (raw, unquote(raw), unquote_plus(raw))} - {user, ""}


class Redactor:
    """Replaces every known secret in a text; the last gate before anything is printed."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()  # the longest first

    def learn(self, *urls_or_keys: str | None) -> None:
        """Remember the secrets inside these URLs; a value that is no URL is one itself.

        Shorter ones than `SHORTEST` are hidden in URLs alone: they occur in ordinary words.
        """
        for value in urls_or_keys:
            if value:
                secrets = secrets_of(value) if "://" in value else {value}
                long = {secret for secret in secrets if len(secret) >= SHORTEST}
                self._secrets = tuple(sorted({*self._secrets, *long}, key=len, reverse=True))

    def learn_target(self, target: Target) -> None:
        """Remember a target's secrets; a folder is none."""
        self.learn(target.url if "://" in target.url else None, target.api_key)

    def learn_environment(self, env: Mapping[str, str]) -> None:
        """Remember the secrets of every environment variable that may hold one."""
        for key, value in env.items():
            if "://" in value or _SECRET_KEYS.search(key):
                self.learn(value)
            if key.endswith("_AUTH_STRING"):  # user:password, as Prefect's basic auth takes it
                self.learn(value.partition(":")[2], base64.b64encode(value.encode()).decode())

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


redact = Redactor()
