"""Compile Python files and keep nothing; run as a script by a fresh, isolated interpreter.

stdin: JSON `[path, …]`, from the current folder. stdout: a line of JSON for each file that Python
does not take: `{path, line, column, error}`. It imports nothing of this project.
"""

from __future__ import annotations

import json
import sys
import warnings


def fault(path: str) -> dict[str, object] | None:
    """Return what is wrong with one file, None for nothing."""
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return {"path": path, "line": error.lineno, "column": error.offset, "error": error.msg}
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return {
            "path": path,
            "line": None,
            "column": None,
            "error": str(error) or type(error).__name__,
        }
    return None


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # of invalid escapes, which the linter tells
    for name in json.load(sys.stdin):
        told = fault(name)
        if told:
            sys.stdout.write(json.dumps(told) + "\n")
