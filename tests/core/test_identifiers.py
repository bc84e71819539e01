"""Identifiers: what a format holds, counted by hand; all different, of the format, and row by row the same."""

import re
import subprocess
import sys
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgsynth.core.identifiers import capacity, escape, make
from ecgsynth.errors import ConfigError

UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    ("form", "holds"),
    [
        ("PX-[0-9]{5}", 100_000),
        ("[A-Z]{2}[0-9]", 6760),
        ("[1-9][0-9]{0,3}", 9999),  # 1 to 9999
        ("[ab]{1,3}", 2 + 4 + 8),
        ("[0-9a-f]", 16),
        ("[aab-c]", 3),
        (UUID4, 16**30 * 4),
        ("fixed", 1),
        (r"\[[A-Z]\]", 26),
        (r"[\]\-x]", 3),
        ("10..", 2**53 - 10),
    ],
)
def test_capacity(form, holds):
    assert capacity(form) == holds


@pytest.mark.parametrize(
    "form", ["[0-9]{3}", "[1-9][0-9]{0,2}", "A[ab]{0,4}-[0-9]", "[0-9]", "one", "[x-z][0-9]{2}[a-c]"]
)
def test_all_that_a_format_holds_is_made_once(form):
    holds = capacity(form)
    made = make(form, range(holds), seed=5)
    assert len(set(made.tolist())) == holds
    assert all(re.fullmatch(form, text) for text in made.tolist())


def test_known_small_case():
    assert sorted(make("Q-[ab][0-1]", range(4), 1).tolist()) == ["Q-a0", "Q-a1", "Q-b0", "Q-b1"]
    assert make("7..", range(2, 5), 1).tolist() == ["9", "10", "11"]
    assert sorted(make("[1-9]{0,1}", range(10), 0).tolist()) == ["", *"123456789"]


@given(
    form=st.sampled_from(
        ["PX-[0-9]{5}", UUID4, "[A-Z]{2,4} [0-9A-Z]{3}", "5..", "[0-9A-Za-z]{40}", "[1-9][0-9]{0,11}"]
    ),
    start=st.integers(0, 90_000),
    length=st.integers(0, 40),
    skip=st.integers(0, 20),
    seed=st.integers(0, 2**64 - 1),
)
def test_a_row_is_the_same_whatever_rows_are_made_with_it(form, start, length, skip, seed):
    whole = make(form, range(start, start + skip + length), seed)
    assert make(form, range(start + skip, start + skip + length), seed).tolist() == whole[skip:].tolist()
    assert len(set(whole.tolist())) == len(whole)


def test_many_are_different_and_do_not_count_up():
    made = make(UUID4, range(50_000), 3)
    assert len(set(made.tolist())) == 50_000
    assert all(uuid.UUID(text).version == 4 for text in made[:100].tolist())
    numbers = np.array([int(text[3:]) for text in make("PX-[0-9]{5}", range(20_000), 3).tolist()])
    assert len(set(numbers.tolist())) == 20_000
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.1
    assert abs(numbers.mean() - 50_000) < 1500  # spread over all that the format holds
    assert len(np.unique(np.diff(numbers))) > 1000


def test_seeds_differ():
    assert make("[0-9]{6}", range(20), 0).tolist() == make("[0-9]{6}", range(20), 0).tolist()
    assert make("[0-9]{6}", range(20), 0).tolist() != make("[0-9]{6}", range(20), 1).tolist()


def test_rows_beyond_what_a_format_holds():
    assert len(make("PX-[0-9]{2}", range(100), 0)) == 100
    with pytest.raises(
        ConfigError, match=r"'PX-\[0-9\]\{2\}' holds 100 identifiers and 101 are asked for; ask for fewer"
    ):
        make("PX-[0-9]{2}", range(101), 0)
    with pytest.raises(ConfigError, match="holds 10 identifiers and 1,000 are asked"):
        make("[0-9]", range(999, 1000), 0)
    assert len(make("[0-9]", range(0), 0)) == 0


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("", "cannot be empty"),
        ("PX-[0-9", "cannot be read at its character 4"),
        ("PX]", "cannot be read at its character 3"),
        ("a{3}", "cannot be read at its character 2"),
        ("[9-0]", "has the range 9-0; swap its ends"),
        ("[0-9]{5,2}", "asks for 5 to 2 characters; swap them"),
        ("[0-9a-z]{1,40}", "stands for too many texts; narrow it"),
    ],
)
def test_formats_that_are_none(form, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        capacity(form)


@settings(max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12))
def test_escaped_text_is_literal(text):
    assert make(escape(text) + "[0-9]", range(1), 0)[0].startswith(text)
    assert capacity(escape(text) + "[0-9]") == 10


def test_only_numpy_and_the_standard_library_are_needed():
    blocked = "import sys; sys.modules.update(dict.fromkeys(['pandas', 'torch', 'scipy'], None)); "
    code = (
        blocked + "import ecgsynth.core.dates; from ecgsynth.core.identifiers import make; make('[0-9]', range(2), 0)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)
