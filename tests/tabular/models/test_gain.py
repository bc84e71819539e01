"""GAIN: its losses against closed forms, and what it fills against the mean."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from ecgsynth.core.config import TrainConfig
from ecgsynth.errors import ArtifactError, ConfigError, DataError
from ecgsynth.tabular.imputer import Imputer
from ecgsynth.tabular.models.gain import (
    Discriminator,
    GainConfig,
    GainGenerator,
    adversarial_loss,
    discriminator_loss,
    hint_of,
    reconstruction_loss,
)
from ecgsynth.tabular.models.gain_space import GainSpace
from ecgsynth.tabular.schema.schema import Schema
from ecgsynth.tabular.training.fit_gain import build_gain, filled, found_again
from ecgsynth.training.job import Job
from ecgsynth.training.loop import fit
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

CONFIG = GainConfig(numbers=2, sizes=(3,), hidden=(16,))
YES, NO = True, False


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator_of(config: GainConfig) -> GainGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return GainGenerator(config)


def some_frame(n: int = 600) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    height = draw.normal(170, 10, n)
    weight = np.round(0.9 * height - 85 + draw.normal(0, 3, n), 1)
    tall = np.where(height > 170, "tall", "short").astype(object)
    return pd.DataFrame({"id": [f"P{i:05d}" for i in range(n)], "cm": height.round(), "kg": weight, "kind": tall})


def with_holes(frame: pd.DataFrame, share: float = 0.2) -> pd.DataFrame:
    made = frame.copy()
    draw = np.random.default_rng(1)
    for name in ("cm", "kg", "kind"):
        made.loc[draw.random(len(made)) < share, name] = None
    return made


# ---- settings, losses, networks


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"numbers": 0}, "one column or more"),
        ({"numbers": 1, "sizes": (0,)}, "one column or more"),
        ({"numbers": 1, "hint": 1.0}, "hint must be at least 0"),
        ({"numbers": 1, "hide": -0.1}, "hide must be at least 0"),
        ({"numbers": 1, "reconstruction": -1.0}, "reconstruction must be at least 0"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        GainConfig(**wrong)  # type: ignore[arg-type]


def test_a_hint_is_the_mask_where_it_is_told() -> None:
    shown, hinted = torch.tensor([[YES, NO, YES, NO]]), torch.tensor([[YES, YES, NO, NO]])
    assert hint_of(shown, hinted).tolist() == [[1.0, 0.0, 0.5, 0.5]]


def test_the_discriminator_s_loss_is_of_what_it_was_not_told() -> None:
    logits = torch.tensor([[2.0, -1.0, 50.0, -50.0]])
    shown, hinted = torch.tensor([[YES, NO, NO, YES]]), torch.tensor([[NO, NO, YES, YES]])
    first, second = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))
    expected = -(math.log(first) + math.log(1 - second)) / 2
    assert discriminator_loss(logits, shown, hinted).item() == pytest.approx(expected, rel=1e-5)
    assert adversarial_loss(logits, shown, hinted).item() == pytest.approx(-math.log(second) / 2, rel=1e-5)
    assert discriminator_loss(logits, shown, torch.ones_like(hinted)).item() == 0


def test_the_reconstruction_is_of_what_is_known() -> None:
    scores = torch.tensor([[1.0, 5.0, 0.0, math.log(2), 0.0], [9.0, 2.0, 0.0, 0.0, 9.0]])
    x = torch.tensor([[3.0, 0.0, 0.0, 1.0, 0.0], [0.0, 2.5, 1.0, 0.0, 0.0]])
    known = torch.tensor([[YES, NO, YES], [NO, YES, NO]])
    expected = (2.0**2 + -math.log(2 / 4) + 0.5**2) / 3
    assert reconstruction_loss(CONFIG, scores, x, known).item() == pytest.approx(expected, rel=1e-5)


def test_what_is_shown_stays_and_holes_do_not_matter() -> None:
    generator = generator_of(CONFIG)
    x = torch.cat([torch.randn(40, 2, generator=rng()), torch.eye(3)[torch.arange(40) % 3]], dim=1)
    shown = torch.rand(40, 3, generator=rng(1)) < 0.5
    noise = torch.randn(40, 5, generator=rng(2))
    there = shown[:, [0, 1, 2, 2, 2]]
    made = generator.fill(x, shown, noise)
    assert torch.equal(made[there], x[there])
    assert torch.allclose(made[:, 2:].sum(1), torch.ones(40))
    other = torch.where(there, x, 7.0)
    assert torch.equal(generator.fill(other, shown, noise), made)


def test_the_discriminator_judges_columns() -> None:
    assert Discriminator(CONFIG)(torch.zeros(4, 5), torch.zeros(4, 3)).shape == (4, 3)


# ---- training


def correlated(n: int = 1500) -> tuple[torch.Tensor, torch.Tensor, NDArray[np.float64]]:
    """Two numbers that go together and a category that follows from them: rows, what is known, and all of it."""
    draw = np.random.default_rng(0)
    first = draw.normal(size=n)
    second = 0.9 * first + math.sqrt(1 - 0.81) * draw.normal(size=n)
    codes = np.digitize(first + second, [-1, 1])
    whole = np.column_stack([first, second, np.eye(3)[codes]])
    return torch.from_numpy(whole.astype(np.float32)), torch.from_numpy(draw.random((n, 3)) > 0.2), whole


def test_gain_fills_better_than_the_mean(tmp_path: Path) -> None:
    x, known, whole = correlated()
    training = TrainConfig(steps=300, batch=128, rate=5e-3, ema=0.9, validations=3)
    reached = fit(
        lambda chance: build_gain(CONFIG, training, x, known, chance),
        Job(config=training, run=RunFolder(tmp_path), score=found_again(CONFIG, x[:300], known[:300], 0)),
    )
    assert reached.validation_score is not None
    assert reached.validation_score < 0
    generator = generator_of(CONFIG)
    tensors, _ = RunFolder(tmp_path).read_tensors(RunFolder(tmp_path).weights)
    generator.load_state_dict({key.removeprefix("generator."): value for key, value in tensors.items()})
    made = filled(generator, x, known, seed=1).numpy()
    holes = ~known.numpy()
    for place in (0, 1):
        errors = made[holes[:, place], place] - whole[holes[:, place], place]
        assert np.sqrt(np.mean(errors**2)) < 0.75 * whole[:, place].std()  # the mean's is the standard deviation
    right = made[holes[:, 2], 2:].argmax(1) == whole[holes[:, 2], 2:].argmax(1)
    assert right.mean() > 0.75  # the most frequent one is right in about half


def test_a_seed_fills_alike_and_trains_alike(tmp_path: Path) -> None:
    x, known, _ = correlated(100)
    weights = []
    training = TrainConfig(steps=5, batch=32, validations=1)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        fit(
            lambda chance: build_gain(CONFIG, training, x, known, chance),
            Job(config=training, run=RunFolder(tmp_path / name), score=lambda _: 0.0),
        )
        weights.append((tmp_path / name / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]
    generator = generator_of(CONFIG)
    assert torch.equal(filled(generator, x, known, 3), filled(generator, x, known, 3))
    assert torch.allclose(filled(generator, x, known, 3)[:20], filled(generator, x[:20], known[:20], 3))


# ---- columns and tables


def test_a_space_is_undone_and_survives_json() -> None:
    frame = with_holes(some_frame(100))
    schema = Schema.infer(frame)
    arrays = schema.arrays(frame)
    space = GainSpace.fit(schema, arrays)
    assert GainSpace.from_json(space.to_json()) == space
    rows, known = space.encode(arrays)
    assert rows.shape == (100, 4)
    assert not rows[~known[:, 0], 0].any()
    back = space.decode(rows)
    for place, name in enumerate(("cm", "kg", "kind")):
        assert np.array_equal(back[name][known[:, place]], arrays[name][known[:, place]])
    filled_up = space.completed(arrays, rows + 1)
    assert np.array_equal(filled_up["kg"][known[:, 1]], arrays["kg"][known[:, 1]])
    assert not np.isnan(filled_up["kg"]).any()
    assert (filled_up["kind"] >= 0).all()


def test_a_column_without_a_value_is_refused() -> None:
    frame = some_frame(50)
    schema = Schema.infer(frame)
    arrays = {**schema.arrays(frame), "kg": np.full(50, np.nan)}
    with pytest.raises(DataError, match="column 'kg' has no value"):
        GainSpace.fit(schema, arrays)


def test_a_table_is_filled_and_what_was_there_stays(tmp_path: Path) -> None:
    frame = some_frame()
    holes = with_holes(frame)
    settings = {"hidden": (24,)}
    made = Imputer.fit(
        holes,
        tmp_path / "run",
        epochs=200 * 128 // len(holes) + 1,
        training={"batch": 128, "rate": 5e-3, "ema": 0.9, "validations": 2},
        config=settings,
    )
    whole = made.impute(holes)
    assert not whole.isna().any().any()
    assert list(whole.columns) == list(frame.columns)
    there = holes.notna()
    for name in frame.columns:
        assert (whole[name][there[name]] == holes[name][there[name]]).all()
    missing = ~there["kg"].to_numpy()
    errors = (whole["kg"] - frame["kg"]).to_numpy()[missing]
    assert np.sqrt(np.mean(errors.astype(float) ** 2)) < 0.8 * frame["kg"].std()
    assert whole["kg"].between(holes["kg"].min(), holes["kg"].max()).all()
    assert (whole["cm"] == whole["cm"].round()).all()
    assert set(whole["kind"]) == {"tall", "short"}
    pd.testing.assert_frame_equal(Imputer.load(tmp_path / "run").impute(holes), whole)


def test_a_run_of_another_model_fills_nothing(tmp_path: Path) -> None:
    content = {"config": {}, "data": {}, "training": {"model": "ctgan"}}
    RunFolder(tmp_path).begin(content, resume=False, force=True)
    with pytest.raises(ArtifactError, match="is a run of ctgan, which makes rows; only one of gain fills holes"):
        Imputer.load(tmp_path)
