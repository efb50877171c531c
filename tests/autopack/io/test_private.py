"""A private folder goes, whatever was left in it, and nothing beside it is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from autopack.io.private import private_folder
from tests.support.session import REPOSITORY
from tests.support.storage_trees import bury


def test_it_is_ones_own_and_goes():
    with private_folder("autopack-test-") as path:
        assert os.stat(path).st_mode & 0o777 == 0o700
        with open(f"{path}/x", "w") as file:
            file.write("x")
        os.makedirs(f"{path}/a/b")
    assert not os.path.lexists(path)


def test_a_folder_deeper_than_any_path_goes(tmp_path):
    with private_folder("autopack-test-") as path:
        bury(os.fspath(path), ["d" * 200] * 1500, "f")
    assert not os.path.lexists(path)


def test_many_folders_with_many_names_go():
    with private_folder("autopack-test-") as path:
        for a in range(12):
            for b in range(12):
                os.makedirs(f"{path}/{a}/{b}/0")
                os.symlink("/", f"{path}/{a}/{b}/1")
    assert not os.path.lexists(path)


LOCKED = """
import os, sys
from autopack.io.private import private_folder
with private_folder("autopack-test-") as path:
    os.makedirs(f"{path}/locked/inner")
    open(f"{path}/locked/file", "w").close()
    os.symlink(sys.argv[1], f"{path}/locked/link")
    os.symlink(os.path.dirname(sys.argv[1]), f"{path}/locked/inner/folder")
    for name in ("locked/inner", "locked", "."):
        os.chmod(f"{path}/{name}", 0)
print(os.path.lexists(path))
"""


def test_what_its_owner_locked_goes_and_no_link_is_followed(tmp_path):
    words = []
    if not os.geteuid():
        if shutil.which("setpriv") is None:
            pytest.skip("root opens everything, and there is no setpriv")
        words = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"]
    target = tmp_path / "outside"
    target.write_text("theirs")
    target.chmod(0o440)
    tmp_path.chmod(0o750)
    done = subprocess.run(
        [*words, sys.executable, "-c", LOCKED, target], cwd=REPOSITORY, capture_output=True,
        check=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "False", done.stderr
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("theirs", 0o440)
    assert tmp_path.stat().st_mode & 0o777 == 0o750


def test_an_error_of_the_block_is_not_lost():
    kept = []

    def fails():
        with private_folder("autopack-test-") as path:
            kept.append(path)
            os.mkdir(f"{path}/a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not os.path.lexists(kept[0])
