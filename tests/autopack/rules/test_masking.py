"""What varies in a message is masked, what the program says stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.rules.lines import family_ids
from autopack.rules.masking import LONGEST, MASK, _mask_slowly, mask_word, template


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("read 12 of 40 rows", "read <*> of <*> rows"),
        ("core.2275 written", "<*> written"),
        ("took 34 ms, free 317.5 KB", "took <*>, free <*>"),
        ("lifetime <1 sec", "lifetime <*>"),
        ("lifetime 00:02", "lifetime <*>"),
        ("from /10.250.19.102:54106 to 10.0.0.7:80", "from <*> to <*>"),
        ("open C:\\Users\\x\\a.txt: denied", "open <*>: denied"),
        ("open /var/log/x: denied", "open <*>: denied"),
        ("cannot read docs/README.md", "cannot read <*>"),
        ("see https://a.example/b?c=d.", "see <*>"),
        ("mail to bob@corp.example", "mail to <*>"),
        ("proxy.example.org:443 closed", "<*> closed"),
        ("id 6ba7b810-9dad-11d1-80b4-00c04fd430c8", "id <*>"),
        ("at Fri Jun 17 07:07:00 2005", "at <*>"),
        ("uid=0 euid=5 tty=NODE", "uid=<*> euid=<*> tty=NODE"),
        ("depth..........0", "depth.........<*>"),
        ("fans ( 3552 **** 3375 )", "fans ( <*> )"),
        ("nodes 1, 2, 3", "nodes <*>"),
        ("session opened for user root", "session opened for user <*>"),
        ("check pass; user unknown", "check pass; user unknown"),
        ("an <app.models.Tier object at 0x00ff>", "an <*>"),
        ("No module named 'yaml'", "No module named 'yaml'"),
        ("ready=true, moved= false", "ready=<*>, moved= <*>"),
        ("I/O and read/write of n/a", "I/O and read/write of n/a"),
        ("login by <email> from <ip>", "login by <*> from <*>"),
        ("[2001:db8:4005::200a]:443 closed", "<*> closed"),
        ("via en0:2001:db8:6000:8:c6b3:1ff:fecd:467f now", "via <*> now"),
        ("Invalid user alice from 10.0.0.7", "Invalid user <*> from <*>"),
        ("part \\042rack7\\042 is gone", 'part "<*>" is gone'),
        ("part \\042WWID:0100:6005-08b4\\042 is gone", 'part "WWID:<*>" is gone'),
    ],
)
def test_what_varies_is_masked_by_its_kind(message, expected):
    assert template(message) == expected


@given(st.text(max_size=200))
def test_any_text_has_a_template_without_digits(text):
    masked = template(text)
    assert not any("0" <= sign <= "9" for sign in masked)
    assert template(" ".join(text.split())) == masked


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_numbers_never_tell_two_failures_apart(one, other):
    words = "attempt {} failed after {}ms at line {}"
    assert template(words.format(one, other, one)) == template(words.format(other, one, other))


@given(st.text("0afx.:/-=_ @[]()%,\\", max_size=60), st.integers(0, 10**9))
def test_which_digits_they_are_changes_nothing(text, number):
    assert template(text.replace("0", str(number))) == template(text)


@given(st.text("0fF_-.:,;])}>\"'[({", min_size=1, max_size=12))
def test_the_short_way_to_a_mask_leads_to_the_same(word):
    assert mask_word(word) == (_mask_slowly(word) if "0" in word else word)


def test_a_huge_message_is_cut_before_it_is_masked():
    assert template("word " * 10**6) == template("word " * (LONGEST // 5))


def test_heads_of_records_do_not_tell_lines_apart():
    heads = (
        "2031-01-02 03:04:05,678 - ERROR - ", "[2031-01-02T03:04:05Z] WARNING: ", "ERROR: ",
        "Jun  4 03:04:05 host sshd[77]: ", "",
    )  # fmt: skip
    assert len(set(family_ids(f"{head}disk 7 is full" for head in heads))) == 1


def test_an_empty_line_has_a_family_too():
    assert len(family_ids(["", "a", ""])) == 3
    assert MASK not in template("")
