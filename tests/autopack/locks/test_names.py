"""Names: their order, their files, and what is said about wrong ones."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.errors import UsageError
from autopack.locks.errors import LockOrderError
from autopack.locks.names import FAMILIES, RANKS, check_order, from_file, ordered, parse
from deployments.limits import NAMES

CHARACTERS = string.ascii_letters + string.digits + "._-"
idents = st.text(CHARACTERS, min_size=1, max_size=100).filter(lambda text: text[0] not in ".-")
names = st.sampled_from(sorted(RANKS)) | st.builds(
    "{}:{}".format, st.sampled_from(sorted(FAMILIES)), idents
)


def test_the_order_is_the_one_of_the_design() -> None:
    wants = ["maintenance:vacuum", "docs", "run:b", "tidy", "index", "run:a", "storage", "runs",
             "queue", "db", "archive", "docs"]  # fmt: skip
    assert [str(name) for name in ordered(wants)] == [
        "tidy", "db", "queue", "runs", "run:a", "run:b", "archive", "docs", "index", "storage",
        "maintenance:vacuum",
    ]  # fmt: skip


@given(names)
def test_a_file_name_leads_back_to_its_name(name: str) -> None:
    assert from_file(parse(name).file) == parse(name)


@given(names, names)
def test_two_names_never_share_a_file_even_without_case(one: str, other: str) -> None:
    same = parse(one).file.casefold() == parse(other).file.casefold()
    assert same == (one == other)


@given(names)
def test_a_file_name_is_plain_and_short(name: str) -> None:
    file = parse(name).file
    assert set(file) <= set(string.ascii_lowercase + string.digits + "._-@=")
    assert len(f"{file}.guard") <= 255
    assert not file.startswith((".", "-"))


@pytest.mark.parametrize(
    "text",
    ["", "Docs", "docs ", "docs\n", "run", "run:", "maintenance", "run:..", "run:../x", "run:a/b",
     "run:a\\b", "run:a:b", "run:a b", "run:é", "run:a\n", "run:-rf", f"run:{'a' * 101}", "docs:x",
     "run:a\0"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_a_wrong_name_is_answered_with_the_known_and_the_nearest() -> None:
    with pytest.raises(UsageError) as raised:
        parse("doc")
    assert str(raised.value) == (
        "'doc' is not a lock name; did you mean docs?. Next: use tidy, db, queue, runs, run:<id>, "
        "archive, docs, index, storage, maintenance:<id>"
    )
    with pytest.raises(UsageError, match="did you mean maintenance:x"):
        parse("maintenence:x")
    with pytest.raises(UsageError, match="1 to 100 letters"):
        parse("run:a/b")


@pytest.mark.parametrize(
    ("name", "limit"),
    [("docs", "docs"), ("tidy", "tidy"), ("run:x", "runs"), ("maintenance:x", "maintenance")],
)
def test_every_limit_is_one_that_the_deployment_creates(name: str, limit: str) -> None:
    assert parse(name).limit == limit
    assert limit in NAMES


@pytest.mark.parametrize("stem", ["docs.old", "Docs", "run@", "run@a=", "x@y", "docs@x", "=Docs"])
def test_a_foreign_file_is_nobodys(stem: str) -> None:
    assert from_file(stem) is None


@pytest.mark.parametrize(
    ("held", "wanted"),
    [(["docs"], ["queue"]), (["docs"], ["docs"]), (["run:b"], ["run:a"]), (["tidy", "docs"],
     ["index", "archive"]), (["maintenance:a"], ["tidy"])],
)  # fmt: skip
def test_wrong_order_is_refused(held: list[str], wanted: list[str]) -> None:
    with pytest.raises(LockOrderError):
        check_order(map(parse, held), map(parse, wanted))


@pytest.mark.parametrize(
    ("held", "wanted"),
    [([], ["tidy"]), (["tidy"], []), (["tidy"], ["db", "docs"]), (["run:a"], ["run:b"])],
)
def test_right_order_passes(held: list[str], wanted: list[str]) -> None:
    check_order(map(parse, held), map(parse, wanted))
