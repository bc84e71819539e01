"""The models of tables by name: what each line says, what it brings, and that naming them loads nothing."""

import subprocess
import sys

import pytest

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ConfigError
from ecgsynth.tabular.models.objectives import OBJECTIVES
from ecgsynth.tabular.models.registry import DEFAULT, LINES, ROWS, VALUES, entry, help_of, makes, names


def test_naming_models_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from ecgsynth.tabular.models.registry import names, help_of; "
        "[help_of(name) for name in names()]; assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_the_names_are_what_makes_rows_and_what_fills_holes() -> None:
    assert names() == (DEFAULT, "gan", "cgan", "wgan", "wgan-gp", "cwgan-gp", "dragan", "cramergan", "ctgan", "gain")
    assert names(ROWS) == names()[:-1]
    assert names(VALUES) == ("gain",)
    assert makes("gain") == VALUES
    with pytest.raises(ConfigError, match="a model of a table is one of default, .*, got 'vae'"):
        help_of("vae")
    with pytest.raises(ConfigError, match="a model of a table that fills holes is one of gain, got 'ctgan'"):
        entry("ctgan", VALUES)


@pytest.mark.parametrize("name", names())
def test_an_entry_is_its_line_over_its_model(name: str) -> None:
    model = entry(name)
    assert model.name == name
    assert len(help_of(name)) < 60
    assert model.losses
    assert LINES[name].config.items() <= model.preset.items()
    assert set(model.preset) <= set(model.settings)
    assert model.training.items() <= TrainConfig(steps=1, **model.training).to_json().items()
    assert model.takes_label(model.preset) == (name in ("cgan", "cwgan-gp"))


def test_every_objective_is_played_by_a_preset() -> None:
    played = {name: line.config["objective"] for name, line in LINES.items() if "objective" in line.config}
    assert set(played.values()) == set(OBJECTIVES)
    assert played == {
        **{"gan": "vanilla", "cgan": "vanilla", "wgan": "clip", "wgan-gp": "gp", "cwgan-gp": "gp"},
        **{"dragan": "dragan", "cramergan": "cramer", "ctgan": "gp"},
    }
