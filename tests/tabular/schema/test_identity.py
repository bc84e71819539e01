"""What is an identifier: by its values, by its name, of the whole table; and persons with several rows."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ecgsynth.cli.main import main
from ecgsynth.core.identifiers import capacity, make
from ecgsynth.errors import ConfigError, DataError
from ecgsynth.tabular.schema.identity import says_identifier
from ecgsynth.tabular.schema.schema import Schema
from ecgsynth.tabular.training.rows import asked_rows

RNG = np.random.default_rng(0)
NINE = RNG.choice(10**9, 900, replace=False) + 10**9  # ten digits, all different


def schema_of(values, name="x", **how) -> Schema:
    return Schema.infer(pd.DataFrame({name: values}), **how)


# ---- all different


@pytest.mark.parametrize("name", ["mrn", "ssn", "patient_no", "customer", "salary", "x"])
def test_whole_numbers_that_are_all_different_are_made_anew(name):
    for values in (NINE, NINE.astype(float), pd.array([*NINE.tolist(), None], dtype="Int64")):
        column = schema_of(values, name)[name]
        assert (column.kind, column.dtype, column.format) == ("identifier", "int64", "[1-9][0-9]{9}")
    made = make(column.format, range(900), 0).astype(np.int64)
    assert len(set(made.tolist()) & set(NINE.tolist())) <= 2  # 900 of 9 billion meet 900 others by chance 0.0001 times


def test_it_is_said_where_the_name_does_not_say_so():
    (note,) = schema_of(NINE, "salary").notes
    assert note == (
        "column 'salary': whole numbers that are all different are taken as identifiers and made anew; if they are "
        "amounts, set its kind to integer in a schema"
    )
    assert schema_of(NINE, "mrn").notes == ()
    content = schema_of(NINE, "salary").to_json()
    content["columns"][0]["kind"] = "integer"
    frame = pd.DataFrame({"salary": NINE})
    column = Schema.from_json(content).completed(frame)["salary"]
    assert (column.kind, column.minimum, column.maximum) == ("integer", NINE.min(), NINE.max())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", NINE[:19]),  # of fewer than 20, nothing is said
        ("x", [*NINE[:50], NINE[0]]),
        ("x", [-1, *NINE[:50]]),
        ("x", NINE[:50] + 0.5),
        ("age", range(20, 60)),
        ("year_of_birth", range(1950, 1990)),
        ("birth_year", range(1950, 1990)),
    ],
)
def test_whole_numbers_that_are_amounts(name, values):
    assert schema_of(list(values), name)[name].kind in ("integer", "continuous")


def test_days_written_as_whole_numbers_are_times_unless_named_as_identifiers():
    days = [int(f"20240{month}{day:02d}") for month in range(1, 10) for day in range(1, 29)]
    assert schema_of(days, "seen")["seen"].kind == "datetime"
    assert schema_of(days, "patient_no")["patient_no"].kind == "identifier"


@pytest.mark.parametrize(
    "name",
    "id ID PatientID patient_id customerid mrn MRN ssn nhs_number patient_no patient patientNr Customer customer_num "
    "subject account_number member passport_no passport pid case record_no person_key hospital-mrn user.id".split(),
)
def test_names_that_say_identifier(name):
    assert says_identifier(name)


@pytest.mark.parametrize(
    "name",
    "paid idea salary rapid number house_number customer_age patients person_income account_balance member_since "
    "subjective remember casement".split(),
)
def test_names_that_do_not(name):
    assert not says_identifier(name)


# ---- room


@pytest.mark.parametrize("name", ["id", "code"])
def test_formats_hold_many_more_rows_than_were_seen(name):
    values = [*range(1, 400), *range(405, 419)]
    texts = [f"U{value}" for value in values]
    for column in (schema_of(values, name)[name], schema_of(texts, name)[name]):
        assert column.kind == "identifier"
        assert capacity(column.format) >= 100 * len(values)
    assert len(set(make(column.format, range(5000), 0).tolist())) == 5000


# ---- persons with several rows


@pytest.mark.parametrize("name", ["mrn", "patient", "patient_id", "customerId", "pid", "subject", "member_no"])
@pytest.mark.parametrize("text", [False, True], ids=["numbers", "text"])
def test_persons_with_several_rows_are_refused(name, text):
    values = [f"P{value:05d}" if text else int(value) for value in np.repeat(NINE[:50] % 10**5, 4)]
    with pytest.raises(
        DataError, match=f"column '{name}' has 50 different values in 200 rows.*--person {name} so that"
    ):
        schema_of(values, name)
    column = schema_of(values, name, person=name)[name]
    assert column.kind == "identifier"
    assert column.dtype == ("string" if text else "int64")
    assert capacity(column.format) >= 50


def test_one_person_twice_is_several_rows():
    with pytest.raises(DataError, match="--person mrn"):
        schema_of([*NINE, NINE[0]], "mrn")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("member", ["gold", "silver", "none"] * 50),
        ("subject", [f"subject {place % 20}" for place in range(200)]),
        ("mrn", [0, 1, 2] * 50),
        ("customer", [0] * 950 + [place % 25 for place in range(50)]),
        ("person", [place % 4 for place in range(200)]),
        ("visits", [f"code {place % 50}" for place in range(500)]),
    ],
)
def test_columns_named_after_persons_that_tell_nobody(name, values):
    assert schema_of(values, name)[name].kind in ("categorical", "integer")


def test_the_column_of_persons_is_made_anew_in_its_own_format():
    frame = pd.DataFrame({"who": ["P-0017", "P-0423", "P-9981"] * 9, "name": ["anna", "bo li", "c"] * 9})
    assert Schema.infer(frame, person="who")["who"].format == "P-[0-9]{4}"
    column = Schema.infer(frame, person="name")["name"]
    assert (column.kind, column.dtype, column.format) == ("identifier", "string", "1..")
    assert Schema.infer(frame, person="name")["who"].kind == "categorical"
    with pytest.raises(DataError, match="no column 'whom' to name each row's person by; there are who, name"):
        Schema.infer(frame, person="whom")


# ---- of the whole table


def table() -> pd.DataFrame:
    place = np.arange(400)
    return pd.DataFrame(
        {
            "case": place + 1,
            "ward": np.where(place % 7, "a", "b"),
            "age": place % 60,
            "code": [f"K{p:04d}" for p in place],
        }
    )


def test_an_identifier_of_the_table_is_one_among_rows_picked():
    whole = table()
    rows = asked_rows(whole, {"ward": "b"})
    schema = Schema.infer(rows, whole)
    assert schema["case"].kind == schema["code"].kind == "identifier"
    assert schema["case"].format == "1.."
    assert schema["ward"].categories == ("b",)
    assert (schema["age"].minimum, schema["age"].maximum) == (rows["age"].min(), rows["age"].max())


def test_what_is_different_only_among_rows_picked_is_no_identifier():
    whole = table().assign(grade=np.arange(400) // 7, word=[f"w{place // 7}" for place in range(400)])
    rows = whole[::15]
    assert rows["grade"].is_unique
    found, alone = Schema.infer(rows, whole), Schema.infer(rows)
    assert (found["grade"].kind, found["word"].kind) == ("integer", "categorical")
    assert (alone["grade"].kind, alone["word"].kind) == ("identifier", "identifier")


def test_a_table_trained_by_condition_keeps_its_identifiers(tmp_path):
    table().to_csv(tmp_path / "a.csv", index=False)
    command = f"train table {tmp_path / 'a.csv'} -o {tmp_path / 'run'} --where ward=a --epochs 1 --hidden 8"
    done = CliRunner().invoke(main, [*command.split(), "--model", "gan"])
    assert done.exit_code == 0, done.output
    columns = {entry["name"]: entry for entry in json.loads((tmp_path / "run" / "schema.json").read_text())["columns"]}
    assert columns["case"]["kind"] == columns["code"]["kind"] == "identifier"


def test_an_identifier_of_whole_numbers_that_holds_none_is_refused():
    content = {"version": 1, "columns": [{"name": "x", "kind": "identifier", "dtype": "int64"}]}
    for values, said in (
        (["a", "b"], "in row 1 a value that is not a number"),
        ([0.5, 1.5], "not whole; set its dtype to string"),
    ):
        with pytest.raises(DataError, match=said):
            Schema.from_json(content).completed(pd.DataFrame({"x": values}))
    with pytest.raises(ConfigError, match="holds 9 identifiers"):
        make("[1-9]", range(10), 0)
