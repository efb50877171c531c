"""Which modules a project has, by its pyproject.toml and the names of its files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NO_PACKAGES = frozenset({
    "tests", "test", "docs", "doc", "examples", "example", "scripts", "tools", "benchmarks",
    "build", "dist", "archive",
})  # fmt: skip
_NO_MODULES = frozenset({"setup", "conftest", "noxfile", "tasks", "fabfile", "manage"})


@dataclass(frozen=True)
class Module:
    """A module by its dotted name, its file, and the folder that must be on the path for it."""

    name: str
    path: str
    base: str


def modules_of(project: Mapping[str, Any], files: Iterable[str]) -> list[Module]:
    """Return every module that the project ships, sorted; `__main__` runs, so it is left out."""
    names = sorted(name for name in files if name.endswith(".py"))
    found: dict[str, Module] = {}
    for folder in _packages(project, names):
        base = folder.rpartition("/")[0]
        for name in names:
            if name.startswith(f"{folder}/") or name == f"{folder}.py":
                module = _module(name, base)
                if module:
                    found.setdefault(module.name, module)
    return [found[name] for name in sorted(found)]


def _module(path: str, base: str) -> Module | None:
    inner = path[len(base) + 1 :] if base else path
    parts = inner.removesuffix(".py").split("/")
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    importable = parts and all(part.isidentifier() for part in parts)
    return Module(".".join(parts), path, base) if importable and parts[-1] != "__main__" else None


def _packages(project: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    """Yield the folders (and single modules, without .py) that hold what the project ships."""
    tool = project.get("tool", {})
    wheel = tool.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    if wheel.get("packages"):
        yield from (str(folder).strip("/") for folder in wheel["packages"])
        return
    poetry = tool.get("poetry", {}).get("packages")
    if poetry:
        for entry in poetry:
            yield "/".join(p for p in (entry.get("from", ""), entry["include"]) if p)
        return
    find = tool.get("setuptools", {}).get("packages", {})
    where = find.get("find", {}).get("where") if isinstance(find, dict) else None
    for base in where or (["src"] if any(name.startswith("src/") for name in names) else [""]):
        yield from _below("" if base == "." else str(base).strip("/"), names)


def _below(base: str, names: list[str]) -> Iterator[str]:
    """Yield the packages and modules directly in a folder."""
    start = f"{base}/" if base else ""
    inner = [name.removeprefix(start) for name in names if name.startswith(start)]
    for top in sorted({name.partition("/")[0] for name in inner}):
        if top.endswith(".py"):
            stem = top.removesuffix(".py")
            if base or stem not in _NO_MODULES:
                yield f"{start}{stem}"
        elif f"{top}/__init__.py" in inner and (base or top not in _NO_PACKAGES):
            yield f"{start}{top}"
