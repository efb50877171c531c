"""Every part of a document knows its place, and a text that is none is one finding with a place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.phases.document import MAX_BYTES, Malformed, Place, read

AS_JSON = """{
  "phases": [
    {"id": "a", "scope": {"paths": ["x", "é"]}},
\t{
      "id": "b\\n\\u00e9", "budget": {"files": 1.5e2, "lines": -0}
    }
  ], "t": true, "n": null
}
"""
AS_YAML = """# a plan
phases:
  - id: a
    scope: {paths: [x, é]}
  - id: "b\\n\\u00e9"
    budget:
      files: 1.5e2
      lines: -0
t: true
n: null
"""


def test_json_and_yaml_say_the_same():
    assert read("a.json", AS_JSON.encode()).value == read("a.yaml", AS_YAML.encode()).value
    assert read("a.json", AS_JSON.encode()).value == json.loads(AS_JSON)


def test_values_keys_and_what_is_missing_have_places():
    document = read("plan.json", AS_JSON.encode())
    assert document.place(()) == (1, 1)
    assert document.place(("phases",)) == (2, 13)
    assert document.place(("phases",), key=True) == (2, 3)
    assert document.place(("phases", 0, "scope", "paths", 1)) == (3, 42)
    assert document.place(("phases", 1)) == (4, 2)
    assert document.place(("phases", 1, "budget", "files")) == (5, 46)
    assert document.place(("phases", 0, "scope", "nope")) == (3, 17), "the parent's key"
    assert document.place(("phases", 0, "validation", "argv")) == (3, 5), "the phase"
    yaml = read("plan.yaml", AS_YAML.encode())
    assert yaml.place(("phases", 0, "scope", "paths", 1)) == (4, 24)
    assert yaml.place(("phases", 1, "budget"), key=True) == (6, 5)


BROKEN = {
    "empty": (b"", "PS001", (1, 1)),
    "blank": (b" \n\t\n", "PS001", (1, 1)),
    "bom": (b"\xef\xbb\xbf{}", "PS002", (1, 1)),
    "utf-16": ("{}".encode("utf-16"), "PS002", (1, 1)),
    "latin-1": (b'{\n "a\xfc": 1}', "PS002", (2, 4)),
    "cut": (b'{\n  "a": [1,', "PS003", (2, 11)),
    "comma": (b'{"a": 1,}', "PS003", (1, 9)),
    "two": (b"{} {}", "PS003", (1, 4)),
    "single quotes": (b"{'a': 1}", "PS003", (1, 2)),
    "comment": (b'{\n// x\n"a": 1}', "PS003", (2, 1)),
    "raw newline in text": (b'{"a": "x\ny"}', "PS003", (1, 9)),
    "escape": (b'{"a": "\\x"}', "PS003", (1, 8)),
    "large": (b" " * (MAX_BYTES + 1), "PS004", (1, 1)),
    "deep": (b"[" * 65 + b"]" * 65, "PS004", (1, 65)),
    "very deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "PS004", (1, 321)),
    "twice": (b'{"a": 1,\n "b": {"c": 1, "c": 2}}', "PS005", (2, 16)),
    "twice by escape": (b'{"a": 1, "\\u0061": 2}', "PS005", (1, 10)),
    "nan": (b'{"a": NaN}', "PS006", (1, 7)),
    "infinity": (b'{"a": [1, -Infinity]}', "PS006", (1, 11)),
    "huge float": (b'{"a": 1e999}', "PS006", (1, 7)),
    "huge whole": (b'{"a":\n ' + b"9" * 5000 + b"}", "PS006", (2, 2)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_json_is_one_finding_with_a_place(name):
    data, code, place = BROKEN[name]
    with pytest.raises(Malformed) as caught:
        read("plan.json", data)
    assert (caught.value.code, caught.value.place) == (code, Place(*place))


BROKEN_YAML = {
    "tab": (b"a:\n\t- b\n", "PS003", (2, 1)),
    "open": (b"a: [1,", "PS003", (1, 7)),
    "control": (b"a: x\ny: \x01\n", "PS003", (2, 4)),
    "anchor": (b"a: &x 1\nb: *x\n", "PS007", (1, 4)),
    "tag": (b"a: !!python/object:os.system x\n", "PS007", (1, 4)),
    "second document": (b"a: 1\n---\nb: 1\n", "PS007", (2, 1)),
    "key": (b"? [a]\n: 1\n", "PS007", (1, 3)),
    "twice": (b"a: 1\nb:\n  c: 1\n  c: 2\n", "PS005", (4, 3)),
    "deep": (b"[" * 100_000, "PS004", (1, 65)),
    "huge whole": (b"a: " + b"9" * 30, "PS006", (1, 4)),
    "comment only": (b"# nothing\n", "PS001", (1, 1)),
}


@pytest.mark.parametrize("name", BROKEN_YAML)
def test_what_is_no_plain_yaml_is_one_finding_with_a_place(name):
    data, code, place = BROKEN_YAML[name]
    with pytest.raises(Malformed) as caught:
        read("plan.yaml", data)
    assert (caught.value.code, caught.value.place) == (code, Place(*place))


def test_yaml_words_are_what_json_would_read():
    text = b"[no, yes, on, 1:30, 0x10, 0o7, 1_000, 2026-01-31, .nan, .inf, =, <<, 'true', 007]"
    assert read("a.yml", text).value == [
        "no", "yes", "on", "1:30", "0x10", "0o7", "1_000", "2026-01-31", ".nan", ".inf", "=", "<<",
        "true", "007",
    ]  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 1, 4]), st.booleans())
def test_every_place_is_where_the_value_stands(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if not text.isprintable() and any("\ud800" <= c <= "\udfff" for c in text):
        return
    document = read("x.json", text.encode("utf-8"))
    assert document.value == value
    lines = text.split("\n")
    waiting = [((), value)]
    while waiting:
        loc, item = waiting.pop()
        line, column = document.place(loc)
        assert lines[line - 1][column - 1 :].startswith(
            json.dumps(item, indent=indent, ensure_ascii=ascii_only)[0]
        )
        if isinstance(item, dict):
            waiting += [((*loc, key), part) for key, part in item.items()]
        if isinstance(item, list):
            waiting += [((*loc, n), part) for n, part in enumerate(item)]
