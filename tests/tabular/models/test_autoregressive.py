"""The autoregressive model: its probabilities sum to one, its draws follow them, it learns what there is to learn."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ConfigError
from ecgsynth.tabular.models.autoregressive import AutoregressiveConfig, AutoregressiveModel
from ecgsynth.tabular.training.fit_autoregressive import build_autoregressive, likelihood, show
from ecgsynth.training.job import Job, Progress
from ecgsynth.training.loop import fit
from ecgsynth.training.run_folder import RunFolder

pytestmark = pytest.mark.trains

SIZES = (3, 2, 4, 2)
ASKABLE = (True, False, True, True)
SHARES = [np.array([0.5, 0.3, 0.2]), np.array([0.9, 0.1]), np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.5, 0.5])]
ROWS = torch.tensor(list(itertools.product(*(range(size) for size in SIZES))))
CONFIG = AutoregressiveConfig(sizes=SIZES, positioned=(False, True, False, False), askable=ASKABLE, hidden=8)


def wild(seed: int = 0) -> AutoregressiveModel:
    """A model of random weights, far from independent columns."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoregressiveModel(CONFIG, SHARES)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.7)
    return model.eval()


def exact(model: AutoregressiveModel) -> Tensor:
    """(rows,) probability of every possible row."""
    with torch.inference_mode():
        return model(ROWS, torch.zeros(ROWS.shape, dtype=torch.bool)).sum(1).exp()


def drawn(model: AutoregressiveModel, n: int, asked: Tensor | None = None, seed: int = 1) -> tuple[Tensor, Tensor]:
    uniform = torch.from_numpy(row_noise(seed, range(n), model.noise_dim).uniform)
    wanted = torch.full((n, len(SIZES)), -1) if asked is None else asked.expand(n, -1)
    with torch.inference_mode():
        return model.draw(uniform, wanted)


def frequencies(codes: Tensor) -> NDArray[np.float64]:
    """(rows,) share of every possible row."""
    places = np.ravel_multi_index(codes.numpy().T, SIZES)
    return np.bincount(places, minlength=len(ROWS)) / len(codes)


def total_variation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.abs(a - b).sum() / 2)


# ---- probabilities


def test_the_probabilities_of_all_rows_sum_to_one() -> None:
    chances = exact(wild())
    assert float(chances.sum()) == pytest.approx(1, abs=1e-5)
    assert float(chances.max()) > 4 / len(ROWS)  # the table is far from even


@pytest.mark.parametrize("shown", [(0,), (2,), (3,), (0, 3), (0, 2, 3)])
def test_with_columns_shown_the_others_sum_to_one(shown: tuple[int, ...]) -> None:
    """p(others | shown), for each value of what is shown."""
    seen = torch.zeros(ROWS.shape, dtype=torch.bool)
    seen[:, list(shown)] = True
    with torch.inference_mode():
        chances = (wild()(ROWS, seen) * ~seen).sum(1).exp()
    key = np.ravel_multi_index(ROWS[:, list(shown)].numpy().T, [SIZES[place] for place in shown])
    assert np.bincount(key, weights=chances.numpy()) == pytest.approx(1, abs=1e-5)


def test_an_untrained_model_has_the_shares() -> None:
    """The last layers begin at 0: every column is drawn by its own shares, whatever the others are."""
    model = AutoregressiveModel(CONFIG, SHARES)
    wanted = [np.prod([share[code] for share, code in zip(SHARES, row, strict=True)]) for row in ROWS.tolist()]
    assert exact(model).numpy() == pytest.approx(np.array(wanted), rel=1e-4)


# ---- drawing


def test_draws_follow_the_probabilities() -> None:
    """Each of 48 rows within four standard errors of its probability, and the whole table within its noise."""
    model, n = wild(), 200_000
    chances = exact(model).double().numpy()
    found = frequencies(drawn(model, n)[0])
    assert (np.abs(found - chances) <= 4.5 * np.sqrt(chances / n) + 1e-5).all()
    likely = chances * n >= 5
    chi = (n * (found - chances) ** 2 / chances)[likely].sum()
    assert chi < likely.sum() + 4 * np.sqrt(2 * likely.sum())


@pytest.mark.parametrize("shown", [{0: 1}, {2: 3}, {3: 0}, {0: 2, 3: 1}, {0: 0, 2: 1, 3: 1}])
def test_what_is_asked_is_exact_and_the_rest_follows_it(shown: dict[int, int]) -> None:
    model, n = wild(), 100_000
    asked = torch.full((1, len(SIZES)), -1)
    for place, code in shown.items():
        asked[0, place] = code
    codes, _ = drawn(model, n, asked)
    seen = asked[0] >= 0
    assert (codes[:, seen] == asked[0, seen]).all()
    fits = (ROWS[:, seen] == asked[0, seen]).all(1)
    with torch.inference_mode():
        chances = (model(ROWS, seen.expand(ROWS.shape)) * ~seen).sum(1).exp() * fits
    assert total_variation(frequencies(codes), chances.double().numpy()) < 0.01


def test_columns_that_cannot_be_asked_for_are_drawn() -> None:
    asked = torch.tensor([[-1, 1, -1, -1]])  # the second column is not askable
    assert torch.equal(drawn(wild(), 500, asked)[0], drawn(wild(), 500)[0])


def test_a_row_is_made_of_its_own_numbers_alone() -> None:
    model = wild()
    codes, positions = drawn(model, 300)
    uniform = torch.from_numpy(row_noise(1, range(300), model.noise_dim).uniform)
    for rows in (slice(7, 8), slice(100, 300), slice(0, 300, 3)):
        with torch.inference_mode():
            mine = model.draw(uniform[rows], torch.full((len(uniform[rows]), 4), -1))
        assert torch.equal(mine[0], codes[rows])
        assert torch.equal(mine[1], positions[rows])


def test_positions_are_uniform_where_a_column_has_them() -> None:
    _, positions = drawn(wild(), 20_000)
    assert not positions[:, [0, 2, 3]].any()
    ranked = np.sort(positions[:, 1].numpy())
    assert np.abs(ranked - np.linspace(-1, 1, len(ranked))).max() < 0.03
    assert wild().noise_dim == CONFIG.noise_dim == 5


def test_a_column_of_one_code() -> None:
    config = AutoregressiveConfig(sizes=(1, 2), positioned=(False, False), askable=(True, True), hidden=4)
    model = AutoregressiveModel(config, [np.ones(1), np.array([0.7, 0.3])])
    codes, _ = model.draw(torch.rand(1000, 2, generator=torch.Generator().manual_seed(0)), torch.full((1000, 2), -1))
    assert not codes[:, 0].any()
    assert float(codes[:, 1].float().mean()) == pytest.approx(0.3, abs=0.05)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ConfigError, match="hidden"):
        AutoregressiveConfig(sizes=(2,), positioned=(False,), askable=(True,), hidden=0)
    assert AutoregressiveConfig.from_json(CONFIG.to_json()) == CONFIG


# ---- learning


def dependent(n: int = 4000) -> tuple[Tensor, list[NDArray[np.float64]], float]:
    """Rows whose columns hang together, the shares of their codes, and the entropy of a row in nats."""
    rng = np.random.default_rng(0)
    first = rng.choice(3, n, p=SHARES[0])
    second = (first == 2).astype(int)
    third = (first + (rng.random(n) < 0.2)) % 4
    fourth = np.where(rng.random(n) < 0.1, 1 - second, second)
    codes = np.stack([first, second, third, fourth], axis=1)
    shares = [np.bincount(column, minlength=size) / n for column, size in zip(codes.T, SIZES, strict=True)]
    chances = np.unique(codes, axis=0, return_counts=True)[1] / n
    return torch.from_numpy(codes.astype(np.int16)), shares, float(-(chances * np.log(chances)).sum())


def learnt(folder: Path, stop: int | None = None, steps: int = 300, seed: int = 0) -> AutoregressiveModel:
    codes, shares, _ = dependent()
    training = TrainConfig(steps=steps, batch=250, rate=1e-2, seed=seed, ema=0.9)

    def on_progress(progress: Progress) -> None:
        if progress.step == stop:
            raise KeyboardInterrupt

    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    fit(
        lambda chance: build_autoregressive(CONFIG, training, codes, shares, chance),
        Job(config=training, run=run, score=lambda model: likelihood(model, codes), on_progress=on_progress),
    )
    model = AutoregressiveModel(CONFIG, shares)
    tensors = run.read_tensors(run.weights)[0]
    model.load_state_dict({name.removeprefix("generator."): tensor for name, tensor in tensors.items()})
    return model.eval()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[AutoregressiveModel, bytes]:
    folder = tmp_path_factory.mktemp("autoregressive") / "run"
    model = learnt(folder)
    return model, RunFolder(folder).weights.read_bytes()


def test_it_comes_close_to_the_entropy(trained: tuple[AutoregressiveModel, bytes]) -> None:
    codes, shares, entropy = dependent()
    apart = -sum(float((share * np.log(np.maximum(share, 1e-12))).sum()) for share in shares)
    assert apart - entropy > 0.8  # what there is to learn
    assert -likelihood(trained[0], codes) == pytest.approx(entropy, abs=0.03)
    found = frequencies(drawn(trained[0], 50_000)[0])
    assert total_variation(found, frequencies(codes.long())) < 0.03


def test_what_it_draws_when_asked_is_what_the_data_have(trained: tuple[AutoregressiveModel, bytes]) -> None:
    """A column behind what is asked for and one before it: p(first | fourth = 1)."""
    codes, _, _ = dependent()
    made, _ = drawn(trained[0], 20_000, torch.tensor([[-1, -1, -1, 1]]))
    for place in range(3):
        wanted, found, whole = (
            np.bincount(rows[:, place], minlength=SIZES[place]) / len(rows)
            for rows in (codes[codes[:, 3] == 1].long(), made, codes.long())
        )
        assert total_variation(wanted, whole) > 0.4, place  # what is asked says much of every column
        assert total_variation(wanted, found) < 0.2, place  # four seeds, three of them on three processors: to 0.10


def test_the_same_seed_leaves_the_same_bytes(tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        learnt(tmp_path / name, steps=30, seed=seed)
        weights.append(RunFolder(tmp_path / name).weights.read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_broken_run_ends_with_the_same_bytes(
    tmp_path: Path, trained: tuple[AutoregressiveModel, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgsynth.training.loop.CHECKPOINT_S", 0.0)  # after every step
    for stop in (1, 7, 33):
        with pytest.raises(KeyboardInterrupt):
            learnt(tmp_path / "run", stop=stop, steps=40)
    learnt(tmp_path / "run", steps=40)
    learnt(tmp_path / "whole", steps=40)
    for path in ("weights", "state"):
        mine, its = (getattr(RunFolder(tmp_path / name), path) for name in ("run", "whole"))
        one, other = (RunFolder(tmp_path).read_tensors(file)[0] for file in (mine, its))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert RunFolder(tmp_path / "run").weights.read_bytes() == RunFolder(tmp_path / "whole").weights.read_bytes()


def test_half_of_the_rows_are_shown_nothing_and_only_askable_columns_ever() -> None:
    shown = show(20_000, torch.tensor(ASKABLE), torch.Generator().manual_seed(0))
    assert not shown[:, 1].any()
    nothing = float((~shown.any(1)).float().mean())
    assert nothing == pytest.approx(0.5 + 0.5 / 4, abs=0.02)  # and of the others, a share is uniform: 1 / (3 + 1) none
    assert shown[:, [0, 2, 3]].float().mean(0).numpy() == pytest.approx(0.25, abs=0.02)
