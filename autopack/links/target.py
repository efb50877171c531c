"""Take a link's target apart, as a browser on GitHub's file view does (RFC 3986)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from autopack.settings import mask_pair

Where = Literal["here", "path", "web", "local"]
"""In the page itself, in the repository, somewhere on the web, or on the reader's machine."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_LINES = re.compile(r"(?P<path>.*[^:/]):(?P<first>\d+)(?:[-:](?P<last>\d+))?")
_HOST = re.compile(r"(?:[a-z]+:)?//(?:[^/?#@]*@)?(\[[^\]]*\]|[^/:?#]*)", re.I)
_PASSWORD = re.compile(r"((?:[a-z][a-z0-9+.-]*:)?//[^/?#@:]*):[^/?#]*@", re.I)
WEB = frozenset({
    "http", "https", "mailto", "ftp", "ftps", "tel", "sms", "irc", "ircs", "xmpp", "ssh", "git",
    "news", "nntp", "magnet", "vscode", "vscode-insiders", "data", "javascript", "file", "ws",
    "wss", "postgresql", "postgres", "redis", "s3", "gs", "slack", "matrix", "callto", "geo", "urn",
    "doi",
})  # fmt: skip
LOCAL = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]", "host.docker.internal"})  # noqa: S104


@dataclass(frozen=True, slots=True)
class Target:
    """A target in its parts; `path` and `fragment` have their percent signs decoded.

    `suffix` is the part of the target behind the path, as written. `lines` is the fragment that a
    suffix such as `:12-34` stands for, and then `path` has no such suffix.
    """

    where: Where
    path: str = ""
    fragment: str | None = None
    suffix: str = ""
    lines: str = ""

    @property
    def plain(self) -> bool:
        """Whether GitHub is asked for the source of a page, which has lines and no headings."""
        query = self.suffix.partition("#")[0].removeprefix("?")
        return "plain=1" in query.split("&")


def take_apart(target: str) -> Target:
    """Return a decoded target in its parts."""
    scheme = _SCHEME.match(target)
    if target.startswith("//") or (scheme and _is_web(scheme)):
        host = _HOST.match(target)
        local = host is not None and host[1].lower() in LOCAL
        return Target("local" if local else "web")
    end = re.search(r"[?#]|\Z", target)
    assert end
    suffix = target[end.start() :]
    path = unquote(target[: end.start()], errors="surrogateescape")  # as names of files are
    _, hashed, fragment = suffix.partition("#")
    name = unquote(fragment) if hashed else None
    if not path:
        return Target("here", "", name, suffix)
    lines = _LINES.fullmatch(path)
    return Target("path", path, name, suffix, _fragment(lines) if lines else "")


def without_secrets(address: str) -> str:
    """Return an address as a report shows it: its password and secrets in its query are `***`."""
    shown = _PASSWORD.sub(r"\1:***@", address)
    front, asked, behind = shown.partition("?")
    query, hashed, fragment = behind.partition("#")
    return f"{front}{asked}{'&'.join(map(mask_pair, query.split('&')))}{hashed}{fragment}"


def _is_web(scheme: re.Match[str]) -> bool:
    """Return whether what looks like a scheme is one: `a.md:12` is a path with a line."""
    return scheme[1].lower() in WEB or scheme.string.startswith("//", scheme.end())


def without_lines(path: str) -> str:
    """Return a path without its line suffix, if it has one."""
    lines = _LINES.fullmatch(path)
    return lines["path"] if lines else path


def _fragment(lines: re.Match[str]) -> str:
    last = f"-L{lines['last']}" if lines["last"] else ""
    return f"L{lines['first']}{last}"


def join(page: str, path: str) -> tuple[str, int]:
    """Return the path from the root that a page's relative path means, and how far it climbs out.

    A path that begins with `/` counts from the root of the repository.
    """
    base = [] if path.startswith("/") else page.split("/")[:-1]
    out = 0
    for name in path.split("/"):
        if name == ".." and not base:
            out += 1
        elif name == "..":
            base.pop()
        elif name not in ("", "."):
            base.append(name)
    return "/".join(base), out
