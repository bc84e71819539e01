"""Which rows are of one sequence, its label and its statics."""

import numpy as np
import pytest

from ecgsynth.errors import DataError


def test_rows_of_a_sequence_belong_together_wherever_they_stand(read, people):
    found = read(people(), id="who")
    assert found.values[:, :, 0].tolist() == [[1, 2], [2, 3], [10, 20], [100, 200], [200, 300], [300, 400]]
    assert found.groups.tolist() == ["a", "a", "b", "c", "c", "c"]
    assert found.meta["straddling"] == 0
    assert found.channel_names == ("x",)


def test_rows_of_many_sequences_in_turns_keep_their_order(read):
    found = read({"who": np.tile(np.arange(40), 20), "x": np.arange(800)}, id="who", length=20)
    assert found.values[:, :, 0].tolist() == np.arange(800).reshape(20, 40).T.tolist()
    assert found.groups.tolist() == [str(who) for who in range(40)]


def test_sequences_shorter_than_a_window_are_counted(read, people):
    found = read(people(), id="who", length=3)
    assert found.groups.tolist() == ["a", "c", "c"]
    assert found.meta["short"] == 1
    assert found.meta["dropped"] == {}


def test_ids_and_labels_are_text_as_they_stand(read):
    lines = "id,kind,x\n01,1.0,1\n01,1.0,2\n1,NA,3\n1,NA,4\n001,10,5\n001,10,7\n"
    found = read(lines, id="id", label="kind")
    assert found.groups.tolist() == ["01", "1", "001"]
    assert found.classes == ("1.0", "10", "NA")
    assert found.labels.tolist() == [0, 2, 1]


def test_one_sequence_with_an_id_is_fine(read):
    found = read({"who": ["a"] * 5, "x": range(5)}, id="who")
    assert found.groups.tolist() == ["a"] * 4


def test_labels_and_statics(read, people):
    table = people(kind=list("vuvuvvvvv"), age=[40, 7, 40, 7, 40, 60, 60, 60, 60], male=list("101010000"))
    found = read(table, id="who", label="kind", statics=("age", "male"))
    assert found.channel_names == ("x", "age", "male")
    assert found.classes == ("u", "v")
    assert found.labels.tolist() == [1, 1, 0, 1, 1, 1]
    assert found.values[2].tolist() == [[10, 7, 0], [20, 7, 0]]
    assert [about.name for about in found.series.columns] == ["x"]
    assert [about.name for about in found.series.statics] == ["age", "male"]


def test_only_classes_that_have_a_window_are_classes(read, people):
    table = people(kind=list("vuvuvwwww"))
    assert read(table, id="who", label="kind", length=3).classes == ("v", "w")


@pytest.mark.parametrize(
    ("more", "options", "sentence"),
    [
        ({"t": [0, 0, 1, 1, 1, 0, 1, 2, 3]}, {"time": "t"}, "stands still at data row 5; sort the rows$"),
        (
            {"kind": list("uuuuuuuuu")},
            {"label": "kind"},
            "several labels, but 'kind' is the same in every sequence .* --lab",
        ),
        (
            {"kind": list("uvuvuuuuu")},
            {"label": "kind", "length": 3},
            "but 'kind' is the same in every sequence that holds",
        ),
        (
            {"kind": list("uuuuuvvuv")},
            {"label": "kind"},
            "one label in each sequence, but 'kind' changes within one at data row 8; name another label",
        ),
        ({"kind": ["u"] * 8 + [""]}, {"label": "kind"}, r"a label in every row, but column 'kind' .* row 9 \(1 rows"),
        (
            {"kind": list("uuuuuvvvv")},
            {"label": "kind", "id": None},
            "'kind' needs a column that tells sequences apart",
        ),
        ({"age": range(9)}, {"statics": ("age",), "id": None}, "so 'age' needs a column that tells sequences apart"),
        (
            {"age": [1, 2, 1, 2, 1, 3, 3, 4, 3]},
            {"statics": ("age",)},
            "constant within each sequence, but 'age' changes in 1 of 3, the first of which begins at data row 6",
        ),
        ({"age": [5] * 9}, {"statics": ("age",)}, "vary, but age is constant; leave it out of --statics"),
        ({"age": list("uuuuuvvvv")}, {"statics": ("age",)}, "expected numbers in column 'age'"),
    ],
)
def test_sequences_that_are_refused(read, people, more, options, sentence):
    with pytest.raises(DataError, match=sentence):
        read(people(**more), **{"id": "who", **options})


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        (
            "aab",
            "several rows of each sequence, but 1 of 2 have one row, the first in data row 3; leave it",
        ),
        ("abc", "but 3 of 3 have one row, the first in data row 1"),
        (
            ["a", "a", None],
            "expected an id in every row, but column 'who' has none in data row 3",
        ),
    ],
)
def test_ids_that_are_refused(read, who, sentence):
    with pytest.raises(DataError, match=sentence):
        read({"who": list(who), "x": [1, 2, 3]}, id="who")
