"""Does everything that states the project's version state the same one?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.version import InvalidVersion, Version

from autopack.report import Finding

PROJECT = "pyproject.toml"
README = ("README.md",)
CHANGELOGS = ("CHANGELOG.md", "docs/CHANGELOG.md")
_HEADING = re.compile(r"^#{1,3}\s+\[?v?(?P<version>\d+\.\d+[\w.+-]*)\]?(?=[\s(:]|$)", re.M)
_UNRELEASED = re.compile(r"^#{1,3}\s+\[?unreleased", re.M | re.I)
_FENCED = re.compile(r"^ {0,3}(?P<fence>`{3,}|~{3,}).*?(?:^ {0,3}(?P=fence)|\Z)", re.M | re.S)
_STATED = (
    re.compile(r"badge/version-v?(?P<version>\d+(?:\.\d+)+\w*)"),
    re.compile(r"^[^\w\n]*version\W+v?(?P<version>\d+(?:\.\d+)+\w*)", re.I | re.M),
)


def check_versions(project: Mapping[str, Any], files: Mapping[str, str]) -> list[Finding] | None:
    """Return every place that states another version than pyproject.toml.

    `files` are those that may state one, by path. None where pyproject.toml states none itself.
    """
    table = project.get("project") or project.get("tool", {}).get("poetry", {})
    stated = table.get("version")
    if not isinstance(stated, str):
        return None
    try:
        version = Version(stated)
    except InvalidVersion:
        return [Finding("version", "error", PROJECT, None, f"{stated!r} is no version (PEP 440)")]
    name = str(table.get("name", ""))
    found: list[Finding] = []
    for path, text in sorted(files.items()):
        if path.endswith(".py"):
            found += _compared(path, text, version, _assigned(text))
        elif path in CHANGELOGS:
            found += _changelog(path, text, version)
        else:
            found += _compared(path, text, version, _in_words(text, name))
    return found


def _compared(
    path: str, text: str, version: Version, claims: Iterator[tuple[int, str]]
) -> Iterator[Finding]:
    for at, claim in claims:
        if _other(claim, version):
            line = text.count("\n", 0, at) + 1
            words = f"states version {claim}, pyproject.toml {version}"
            yield Finding("version_drift", "error", path, line, words)


def _other(claim: str, version: Version) -> bool:
    try:
        return Version(claim) != version
    except InvalidVersion:
        return True


def _assigned(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text that `__version__` is set to at the top of a module."""
    if "__version__" not in text:
        return
    try:
        body = ast.parse(text.removeprefix("\ufeff")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # the syntax check tells
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    for node in body:
        annotated = [node.target] if isinstance(node, ast.AnnAssign) else []
        targets = node.targets if isinstance(node, ast.Assign) else annotated
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        value = getattr(node, "value", None)
        if "__version__" in names and isinstance(value, ast.Constant):
            yield starts[node.lineno - 1], str(value.value)


def _in_words(text: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield what a page states: a badge, a line `Version: 1.2`, a pin of the project itself."""
    pinned = re.compile(rf"(?<![\w-]){re.escape(name)}==v?(?P<version>\d[\w.]*\w)")
    plain = _unfenced(text)
    pairs = [(pattern, plain) for pattern in _STATED] + ([(pinned, text)] if name else [])
    for pattern, words in pairs:
        for match in pattern.finditer(words):
            yield match.start("version"), match["version"]


def _unfenced(text: str) -> str:
    """Return a page with its fenced code blanked: every offset stays."""
    return _FENCED.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def _changelog(path: str, text: str, version: Version) -> Iterator[Finding]:
    """Yield a finding where the newest release of a changelog is not this version.

    A version that is higher is the next one, as long as there is a heading for what is unreleased.
    """
    text = _unfenced(text)
    newest = _HEADING.search(text)
    if newest is None or not _other(newest["version"], version):
        return
    unreleased = _UNRELEASED.search(text, 0, newest.start())
    try:
        ahead = version > Version(newest["version"])
    except InvalidVersion:
        ahead = False
    if not (ahead and unreleased):
        line = text.count("\n", 0, newest.start()) + 1
        words = f"the newest release is {newest['version']}, pyproject.toml says {version}"
        yield Finding("version_drift", "error", path, line, words)
