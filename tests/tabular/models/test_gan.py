"""The generator and critic of adversarial models of tables, their settings and their batches."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ecgsynth.core.config import TrainConfig
from ecgsynth.core.noise import row_noise
from ecgsynth.errors import ConfigError
from ecgsynth.tabular.models.config import GANConfig
from ecgsynth.tabular.models.gan import Critic, JointGenerator, Segments, inverse_cdf
from ecgsynth.tabular.models.registry import LINES
from ecgsynth.tabular.training.batches import RowBatches

pytestmark = pytest.mark.trains

PRESETS = {name: line for name, line in LINES.items() if line.module.endswith("fit_gan")}

SIZES = (3, 4, 2, 5)
BASE = GANConfig(
    sizes=SIZES,
    positioned=(False, True, False, True),
    askable=(True, False, True, False),
    normals=6,
    generator_sizes=(16, 8),
    critic_sizes=(8,),
)
SHARES = [np.array(share) for share in ((0.5, 0.3, 0.2), (0.1, 0.2, 0.3, 0.4), (0.9, 0.1), (0.2, 0.2, 0.2, 0.4, 0.0))]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def with_condition(condition: str, **settings: object) -> GANConfig:
    label = 2 if condition == "label" else None
    return dataclasses.replace(BASE, condition=condition, label=label, **settings)  # type: ignore[arg-type]


def generator_of(config: GANConfig, seed: int = 0) -> JointGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = JointGenerator(config, SHARES)
        for weight in made.head.weights:
            torch.nn.init.normal_(weight, std=0.5)
    return made.eval()


def uniform(config: GANConfig, n: int, seed: int = 1) -> Tensor:
    return torch.from_numpy(row_noise(seed, range(n), config.noise_dim).uniform)


def nothing(n: int) -> Tensor:
    return torch.full((n, len(SIZES)), -1)


# ---- settings


def test_settings_survive_json() -> None:
    for preset in PRESETS.values():
        label = 0 if preset.config.get("condition") == "label" else None
        config = dataclasses.replace(BASE, label=label, **preset.config)
        assert GANConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
        assert preset.training.items() <= TrainConfig(**preset.training, steps=3).to_json().items()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"objective": "least squares"}, "objective is one of vanilla"),
        ({"condition": "all"}, "condition is one of none"),
        ({"optimizer": "sgd"}, "optimizer is one of adam"),
        ({"condition": "label"}, "a label is given where"),
        ({"label": 0}, "a label is given where"),
        ({"condition": "label", "label": 1}, "may be asked for"),
        ({"condition": "label", "label": 9}, "may be asked for"),
        ({"pack": 0}, "pack must be at least 1"),
        ({"unrolled": -1}, "unrolled must be at least 0"),
        ({"critic_dropout": 1.0}, "critic_dropout must be below 1"),
        ({"temperature": 0.0}, "temperature must be above 0"),
        ({"clip": float("nan")}, "clip must be above 0"),
        ({"betas": (0.5, 1.0)}, "betas are two numbers"),
        ({"generator_sizes": (8, 0)}, "generator_sizes must be at least 1 each"),
        ({"askable": (True,)}, "got 4, 4 and 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        dataclasses.replace(BASE, **wrong)  # type: ignore[arg-type]


def test_what_can_be_asked_for() -> None:
    assert with_condition("none").answers == ()
    assert with_condition("label").answers == (2,)
    assert with_condition("sampled").answers == (0, 2)
    assert with_condition("sampled", askable=(False,) * 4).answers == ()
    assert BASE.width == 2 + sum(SIZES)


# ---- softmax and draws


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 99), st.floats(0.1, 500))
@settings(max_examples=30, deadline=None)
def test_segments_are_softmax_column_by_column(sizes: list[int], seed: int, scale: float) -> None:
    scores = (torch.randn(4, sum(sizes), generator=rng(seed), dtype=torch.float64) * scale).requires_grad_()
    weight = torch.randn(4, sum(sizes), generator=rng(seed + 1), dtype=torch.float64)
    segments = Segments(tuple(sizes)).double()
    slow = torch.cat([part.softmax(1) for part in scores.split(sizes, dim=1)], dim=1)
    made = segments(scores)
    assert torch.allclose(made, slow)
    (mine,) = torch.autograd.grad((made * weight).sum(), scores)
    (expected,) = torch.autograd.grad((slow * weight).sum(), scores)
    assert torch.allclose(mine, expected)


def test_codes_are_drawn_by_their_shares() -> None:
    logits = torch.tensor([[0.0, 1.0, -2.0]]).expand(20_000, 3)
    codes = inverse_cdf(logits, torch.rand(20_000, 1, generator=rng()))
    shares = torch.bincount(codes, minlength=3) / 20_000
    assert torch.allclose(shares, logits[0].softmax(0), atol=0.01)


def test_the_largest_uniform_passes_no_last_code() -> None:
    logits = torch.tensor([[0.0, 0.0, -200.0], [1.0, 2.0, 3.0]])
    assert inverse_cdf(logits, torch.full((2, 1), 1 - 2.0**-24)).tolist() == [1, 2]
    assert inverse_cdf(logits, torch.full((2, 1), 2.0**-24)).tolist() == [0, 0]


def test_the_gumbel_softmax_takes_each_code_by_its_share() -> None:
    config = with_condition("none")
    generator = generator_of(config)
    z = torch.zeros(20_000, config.normals)
    rows, logits = generator.rows(z, torch.zeros(len(z), dtype=torch.int64), rng())
    first = rows[:, 2:5]
    assert torch.allclose(first.sum(1), torch.ones(len(z)), atol=1e-5)
    shares = torch.bincount(first.argmax(1), minlength=3) / len(z)
    assert torch.allclose(shares, logits[0, :3].softmax(0), atol=0.015)


def test_training_begins_at_the_training_shares() -> None:
    config = with_condition("none")
    generator = JointGenerator(config, SHARES)
    with torch.no_grad():
        for weight in generator.head.weights:
            weight.zero_()
    codes, _ = generator.eval().draw(uniform(config, 20_000), nothing(20_000))
    for place, share in enumerate(SHARES):
        found = np.bincount(codes[:, place].numpy(), minlength=len(share)) / len(codes)
        assert np.abs(found - share).max() < 0.015


# ---- what is asked for


@pytest.mark.parametrize("condition", ["label", "sampled"])
def test_what_is_asked_for_comes_back(condition: str) -> None:
    config = with_condition(condition)
    generator = generator_of(config)
    for place in config.answers:
        asked = nothing(200)
        asked[:, place] = torch.arange(200) % SIZES[place]
        codes, positions = generator.draw(uniform(config, 200), asked)
        assert torch.equal(codes[:, place], asked[:, place])
        assert codes.dtype == torch.int64
        assert not positions[:, [0, 2]].any()
        assert positions[:, [1, 3]].abs().max() <= 1


def test_several_columns_asked_for_come_back_at_once() -> None:
    config = with_condition("sampled")
    asked = nothing(60)
    asked[:, 0], asked[:, 2] = torch.arange(60) % 3, torch.arange(60) % 2
    codes, _ = generator_of(config).draw(uniform(config, 60), asked)
    assert torch.equal(codes[:, [0, 2]], asked[:, [0, 2]])
    conditions = generator_of(config).one_hots(asked)
    assert torch.equal(conditions.sum(1), torch.full((60,), 2.0))
    assert conditions[4].tolist() == [0.0, 1.0, 0.0, 1.0, 0.0]


def test_what_is_asked_for_changes_the_rest_of_the_row() -> None:
    config = with_condition("label")
    generator = generator_of(config)
    first, other = nothing(100), nothing(100)
    first[:, 2], other[:, 2] = 0, 1
    one, two = (generator.draw(uniform(config, 100), asked)[0] for asked in (first, other))
    assert (one[:, [0, 1, 3]] != two[:, [0, 1, 3]]).any()


def test_a_label_that_is_not_asked_for_is_drawn_by_its_share() -> None:
    config = with_condition("label")
    codes, _ = generator_of(config).draw(uniform(config, 20_000), nothing(20_000))
    assert (codes[:, 2] == 1).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_without_a_wish_one_column_is_told_by_its_share() -> None:
    config = with_condition("sampled")
    generator = generator_of(config)
    wanted = generator.completed(nothing(30_000), uniform(config, 30_000)[:, -2:])
    conditions = wanted >= 0
    assert torch.equal(conditions.sum(1), torch.ones(30_000, dtype=torch.int64))
    assert not conditions[:, [1, 3]].any()
    assert conditions[:, 0].float().mean().item() == pytest.approx(0.5, abs=0.02)
    found = torch.bincount(wanted[conditions[:, 0], 0], minlength=3) / conditions[:, 0].sum()
    assert torch.allclose(found, torch.tensor([0.5, 0.3, 0.2]), atol=0.02)


@pytest.mark.parametrize("condition", ["none", "label", "sampled"])
def test_a_row_does_not_depend_on_the_others(condition: str) -> None:
    config = with_condition(condition)
    generator, noise = generator_of(config), uniform(config, 50)
    codes, positions = generator.draw(noise, nothing(50))
    alone = [generator.draw(noise[row : row + 1], nothing(1)) for row in range(50)]
    assert torch.equal(codes, torch.cat([made[0] for made in alone]))
    assert torch.allclose(positions, torch.cat([made[1] for made in alone]), atol=1e-6)


@pytest.mark.parametrize("condition", ["none", "sampled"])
def test_draw_can_be_traced_for_any_number_of_rows(condition: str) -> None:
    config = with_condition(condition)
    generator = generator_of(config)

    class Drawing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = generator

        def forward(self, noise: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
            return self.generator.draw(noise, asked)

    rows = torch.export.Dim("rows")
    asked = nothing(3)
    traced = torch.export.export(
        Drawing().eval(), (uniform(config, 3), asked), dynamic_shapes=({0: rows}, {0: rows})
    ).module()
    for n in (1, 7):
        expected, made = generator.draw(uniform(config, n), nothing(n)), traced(uniform(config, n), nothing(n))
        assert torch.equal(made[0], expected[0])
        assert torch.allclose(made[1], expected[1], atol=1e-6)


def test_a_row_has_its_label_as_it_was_told() -> None:
    config = with_condition("label")
    conditions = torch.arange(10) % 2
    rows, _ = generator_of(config).rows(torch.randn(10, 6, generator=rng()), conditions, rng())
    assert rows.shape == (10, config.width)
    assert torch.equal(rows[:, 2 + 7 : 2 + 9], torch.eye(2)[conditions])


# ---- layers and critics


def test_what_is_told_is_the_same_as_one_hots_and_as_their_places() -> None:
    generator = generator_of(with_condition("sampled"))
    z, places = torch.randn(7, 6, generator=rng()), torch.arange(7) % 5
    for one, other in zip(generator(z, torch.eye(5)[places]), generator(z, places), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_the_generator_s_layers_read_all_before_them_side_by_side() -> None:
    generator = generator_of(with_condition("none", normalise=False))
    z = torch.randn(5, 6, generator=rng())
    h = z
    for layer in [*generator.layers, generator.head]:
        made = h @ torch.cat([*layer.weights], dim=1).T + layer.bias
        # The paper puts a layer's output before its input; here it stands behind, with the columns of its matrix.
        h = torch.cat([h, torch.relu(made)], dim=1)
    positions, logits = generator(z, torch.zeros(0))
    assert torch.allclose(torch.cat([torch.atanh(positions), logits], dim=1), made, atol=1e-4)


def test_a_critic_reads_packs() -> None:
    critic = Critic(with_condition("sampled", pack=4))
    assert critic.first.weights[0].shape == (8, 4 * BASE.width)
    assert critic.first.telling is not None
    assert critic.first.telling.shape == (4 * 5, 8)
    packs = critic.packed(torch.arange(8 * 5).float().reshape(8, 5))
    assert packs.shape == (2, 4 * 5)
    assert torch.equal(packs[1], torch.arange(4 * 5, 8 * 5).float())
    label = Critic(with_condition("label", pack=4))
    assert label.first.weights[0].shape == (8, 4 * BASE.width)
    assert label.first.telling is None


def test_a_critic_s_first_layer_reads_rows_and_what_is_told_side_by_side() -> None:
    critic = Critic(with_condition("sampled", pack=2))
    rows, places = torch.randn(12, BASE.width, generator=rng()), torch.tensor([4, 0, 2, 1, 1, 3])
    conditions = torch.eye(5)[places].reshape(3, 10)
    assert critic.first.telling is not None
    weight = torch.cat([critic.first.weights[0], critic.first.telling.T], dim=1)
    h = torch.cat([critic.packed(rows), torch.cat([conditions, conditions])], dim=1) @ weight.T + critic.first.bias
    expected = critic.head(torch.nn.functional.leaky_relu(h, 0.2)).squeeze(1)
    assert torch.allclose(critic(critic.packed(rows), critic.packed_condition(places)), expected, atol=1e-6)


def test_a_critic_drops_units_only_where_it_is_given_chance() -> None:
    critic = Critic(with_condition("none", critic_dropout=0.5))
    rows, conditions = torch.randn(30, BASE.width, generator=rng()), torch.zeros(30, 1, dtype=torch.int64)
    assert torch.equal(critic(rows, conditions), critic(rows, conditions))
    assert not torch.equal(critic(rows, conditions, rng()), critic(rows, conditions))
    assert torch.equal(critic(rows, conditions, rng(1)), critic(rows, conditions, rng(1)))
    kept = critic.dropout_mask(torch.Size((1000, 20)), rng())
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1, abs=0.03)


# ---- batches


def batches_of(config: GANConfig, n: int = 500) -> tuple[RowBatches, Tensor, Tensor]:
    draw = np.random.default_rng(0)
    codes = np.stack([draw.choice(len(share), size=n, p=share) for share in SHARES], axis=1)
    positions = draw.uniform(-1, 1, codes.shape) * [0, 1, 0, 1]
    made, at = torch.from_numpy(codes.astype(np.int16)), torch.from_numpy(positions.astype(np.float32))
    return RowBatches(config, made, at), made, at


def test_the_matrix_of_rows_is_positions_then_one_hots() -> None:
    batches, codes, positions = batches_of(with_condition("none"))
    rows = torch.tensor([7, 3, 7])
    slow = torch.cat(
        [
            positions[rows][:, [1, 3]],
            *(torch.nn.functional.one_hot(codes[rows, place].long(), size).float() for place, size in enumerate(SIZES)),
        ],
        dim=1,
    )
    assert torch.equal(batches.matrix(rows), slow)


def test_training_by_sampling_draws_rows_that_have_what_is_told() -> None:
    config = with_condition("sampled")
    batches, codes, _ = batches_of(config)
    asked = batches.draw(20_000, rng())
    assert asked.column is not None
    assert asked.code is not None
    places = torch.tensor(config.answers)[asked.column]
    assert torch.equal(codes[asked.rows].long().gather(1, places[:, None]).squeeze(1), asked.code)
    assert torch.equal(asked.condition, torch.tensor([0, 3])[asked.column] + asked.code)
    own = asked.code[asked.column == 1]
    weights = torch.log1p(torch.bincount(codes[:, 2].long(), minlength=2).double())
    assert (own == 1).double().mean().item() == pytest.approx((weights[1] / weights.sum()).item(), abs=0.02)
    twos = asked.rows[(asked.column == 1) & (asked.code == 1)]
    assert set(twos.tolist()) == set(
        torch.nonzero(codes[:, 2] == 1).squeeze(1).tolist()
    )  # every such row, and no other


def test_a_code_that_never_occurs_is_never_told() -> None:
    config = dataclasses.replace(
        BASE, condition="sampled", askable=(False, False, False, True), positioned=(False,) * 4
    )
    batches, _, _ = batches_of(config)
    asked = batches.draw(5000, rng())
    assert asked.code is not None
    assert set(asked.code.tolist()) == {0, 1, 2, 3}


def test_a_label_is_told_as_it_stands_in_the_row() -> None:
    batches, codes, _ = batches_of(with_condition("label"))
    asked = batches.draw(300, rng())
    assert torch.equal(asked.condition, codes[asked.rows, 2].long())


def test_the_cross_entropy_is_of_the_asked_column_only() -> None:
    batches, _, _ = batches_of(with_condition("sampled"))
    asked = batches.draw(50, rng())
    assert asked.column is not None
    assert asked.code is not None
    logits = torch.randn(50, sum(SIZES), generator=rng())
    slow = []
    for row in range(50):
        first, size = ((0, 3), (7, 2))[int(asked.column[row])]
        slow.append(-logits[row, first : first + size].log_softmax(0)[asked.code[row]])
    assert batches.cross_entropy(logits, asked).item() == pytest.approx(torch.stack(slow).mean().item(), rel=1e-5)
