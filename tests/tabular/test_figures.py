"""Pictures of tables: files that are pictures, panels that are counted, and maps whose axes are known."""

import numpy as np
import pandas as pd
import pytest
from matplotlib import image, pyplot

from ecgsynth.errors import ArtifactError
from ecgsynth.tabular.report.figures import clipped, maps, save_columns, save_correlations, save_maps, save_pairs
from ecgsynth.tabular.schema.schema import Column, Schema

SCHEMA = Schema(
    columns=(
        Column(name="$cost $", kind="continuous", dtype="float64", missing=True),
        Column(name="days", kind="integer", dtype="int64", minimum=0.0, maximum=30.0),
        Column(name="colour", kind="categorical", dtype="string", categories=("blue", "green", "red"), missing=True),
        Column(name="born", kind="datetime", dtype="datetime64", unit="D", minimum=0.0, maximum=9999.0),
    )
)


def table(seed, n=60):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "$cost $": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "days": rng.integers(0, 31, n),
            "colour": np.array(["red", "a name that is much too long for a panel", None], dtype=object)[
                rng.integers(0, 3, n)
            ],
            "born": pd.to_datetime("1980-01-01") + pd.to_timedelta(rng.integers(0, 5000, n), unit="D"),
        }
    )


def size(path):
    return image.imread(path).shape


def test_the_pictures_are_written_and_no_state_of_pyplot_is_touched(tmp_path):
    real, made = table(0), table(1)
    before = pyplot.get_fignums()
    assert save_columns(tmp_path / "columns.png", real, made, SCHEMA) == 4
    save_correlations(tmp_path / "correlations.png", real, made, SCHEMA)
    assert save_pairs(tmp_path / "pairs.png", real, made, SCHEMA)
    save_maps(tmp_path / "maps.png", real, made, SCHEMA)
    assert size(tmp_path / "columns.png")[:2] == (240, 1280)
    for name in ("correlations", "pairs", "maps"):
        picture = image.imread(tmp_path / f"{name}.png")
        assert min(picture.shape[:2]) > 200
        assert picture[..., :3].std() > 0.05, "an empty picture"
    assert pyplot.get_fignums() == before


def test_what_is_missing_or_constant_is_drawn_all_the_same(tmp_path):
    empty = table(0, 20).assign(**{"$cost $": np.nan}, days=3, colour=None)
    save_columns(tmp_path / "a.png", empty, empty, SCHEMA)
    save_columns(tmp_path / "b.png", table(0), empty, Schema(columns=SCHEMA.columns[:1]))
    save_correlations(tmp_path / "c.png", empty, table(0), SCHEMA)
    save_pairs(tmp_path / "d.png", empty, table(0), Schema(columns=SCHEMA.columns[:2]))
    save_maps(tmp_path / "e.png", empty, empty, SCHEMA)
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_a_wide_table_has_so_many_panels(tmp_path, monkeypatch):
    monkeypatch.setattr("ecgsynth.tabular.report.figures.DRAWN_COLUMNS", 6)
    names = [f"c{place}" for place in range(9)]
    schema = Schema(columns=tuple(Column(name=name, kind="categorical", dtype="bool") for name in names))
    frame = pd.DataFrame({name: [True, False] for name in names})
    assert save_columns(tmp_path / "a.png", frame, frame, schema) == 6


def test_one_number_has_no_pairs(tmp_path):
    schema = Schema(columns=SCHEMA.columns[1:3])
    assert not save_pairs(tmp_path / "a.png", table(0), table(1), schema)
    assert not list(tmp_path.iterdir())
    save_maps(tmp_path / "b.png", table(0), table(1), Schema(columns=SCHEMA.columns[1:2]))


def test_the_first_component_is_where_the_rows_are_spread():
    schema = Schema(columns=tuple(Column(name=name, kind="continuous", dtype="float64") for name in "ab"))
    line = np.arange(-5.0, 6.0)
    real = pd.DataFrame({"a": line, "b": line + 0.01 * np.where(line > 0, 1, -1)})
    found = maps(real, real + 1, schema)["PCA"]
    steps = np.abs(np.diff(found[0][:, 0]))
    assert np.ptp(found[0][:, 0]) > 100 * np.ptp(found[0][:, 1])
    assert steps == pytest.approx(np.full(10, 2**0.5 / line.std()), rel=0.05)
    assert set(maps(real, real, schema)) == {"PCA", "t-SNE"}
    assert set(maps(real[:1], real[:1], schema)) == {"PCA"}


def test_the_same_seed_draws_the_same_map():
    one, other = (maps(table(0), table(1), SCHEMA, seed=2)["t-SNE"] for _ in range(2))
    assert (one[0] == other[0]).all()


def test_names_fit():
    assert clipped("x" * 30) == "x" * 17 + "…"
    assert clipped("a$b") == r"a\$b"


def test_a_folder_in_the_way_is_an_error(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ArtifactError, match="is a folder"):
        save_columns(tmp_path / "a.png", table(0), table(1), SCHEMA)
