"""The scores of TimeGAN's paper: their networks against torch's, and what they say of sets that are known."""

import numpy as np
import pytest
import torch

from ecgsynth.errors import DataError
from ecgsynth.metrics import recurrent as scores
from ecgsynth.metrics.recurrent import GruLayer, Stack, discriminative_score, predictive_score, scale_by

pytestmark = pytest.mark.trains


def noise(seed, n, time=8, channels=3, shift=0.0):
    return (np.random.default_rng(seed).normal(size=(n, time, channels)) + shift).astype(np.float32)


def waves(seed, n, time=12, channels=2):
    """Sines of one frequency that begin anywhere, channels in quadrature: the next step follows from the last."""
    start = np.random.default_rng(seed).uniform(0, 2 * np.pi, n)
    phase = start[:, None, None] + 0.5 * np.arange(time)[None, :, None] + 0.5 * np.pi * np.arange(channels)
    return np.sin(phase).astype(np.float32)


@pytest.fixture
def quick(monkeypatch):
    """Networks that learn in a few steps what the paper's learn in thousands."""
    monkeypatch.setattr(scores, "RATE", 0.03)


# ---- the networks


@pytest.mark.parametrize(("time", "channels", "hidden", "n"), [(1, 1, 1, 1), (7, 3, 4, 5), (5, 2, 1, 9)])
def test_a_layer_is_that_of_torch(time, channels, hidden, n):
    rng = torch.Generator().manual_seed(time)
    theirs = [torch.nn.GRU(channels, hidden, dtype=torch.float64) for _ in range(3)]
    with torch.no_grad():
        for net in theirs:
            for weight in net.parameters():
                weight.copy_(2 * torch.rand(weight.shape, generator=rng, dtype=torch.float64) - 1)
    x = torch.randn(time, 3, channels, n, generator=rng, dtype=torch.float64, requires_grad=True)
    pull = torch.randn(time, 3, hidden, n, generator=rng, dtype=torch.float64)
    expected = torch.stack([net(x[:, i].mT)[0].mT for i, net in enumerate(theirs)], dim=1)
    loss = (expected * pull).sum()
    wanted = [torch.autograd.grad(loss, list(net.parameters()), retain_graph=True) for net in theirs]
    # torch has two biases, of which only that of the new gate stands within the reset.
    into = torch.stack([net.weight_ih_l0.detach() for net in theirs]).requires_grad_()
    recurrent = torch.stack([net.weight_hh_l0.detach() for net in theirs]).requires_grad_()
    kept = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64).repeat_interleave(hidden)
    both = torch.stack([(net.bias_ih_l0 + kept * net.bias_hh_l0).detach() for net in theirs])[..., None]
    both.requires_grad_()
    inner = torch.stack([net.bias_hh_l0.detach()[2 * hidden :] for net in theirs])[..., None].requires_grad_()
    got = GruLayer.apply(torch.matmul(into, x) + both, recurrent, inner)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    grads = torch.autograd.grad((got * pull).sum(), [x, into, recurrent, both, inner])
    for i, (into_i, recurrent_i, bias_i, inner_i) in enumerate(wanted):
        torch.testing.assert_close(grads[1][i], into_i, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(grads[2][i], recurrent_i, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(grads[3][i, :, 0], bias_i, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(grads[4][i, :, 0], inner_i[2 * hidden :], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(grads[0], torch.autograd.grad(loss, x)[0], rtol=1e-10, atol=1e-12)


def test_the_gradients_of_a_layer_are_its_slopes():
    rng = torch.Generator().manual_seed(0)
    shapes = ((4, 2, 6, 3), (2, 6, 2), (2, 2, 1))
    inputs = [torch.randn(shape, generator=rng, dtype=torch.float64, requires_grad=True) for shape in shapes]
    assert torch.autograd.gradcheck(GruLayer.apply, inputs)


def test_a_repeat_alone_learns_what_it_learns_among_others():
    rng = torch.Generator().manual_seed(0)
    x, wanted = torch.randn(6, 4, 3, 20, generator=rng), torch.randn(6, 4, 20, generator=rng)
    stack = Stack(4, 3, 2, layers=2, rng=rng)
    singles = [Stack(1, 3, 2, layers=2, rng=rng) for _ in range(4)]
    for i, single in enumerate(singles):
        for own, weight in zip(single.parameters(), stack.parameters(), strict=True):
            own.data.copy_(weight.data[i : i + 1])
        part, aim = x[:, i : i + 1], wanted[:, i : i + 1]
        scores.train(single, lambda net=single, x=part, aim=aim: (net(x) - aim).square().sum(), 20, None)
    scores.train(stack, lambda: (stack(x) - wanted).square().sum(), 20, None)
    for i, single in enumerate(singles):
        for own, weight in zip(single.parameters(), stack.parameters(), strict=True):
            torch.testing.assert_close(own[0], weight[i], rtol=1e-4, atol=1e-5)


def test_repeats_begin_with_weights_of_their_own():
    stack = Stack(3, 4, 5, layers=2, rng=torch.Generator().manual_seed(0))
    for weight in stack.parameters():
        assert not torch.equal(weight[0], weight[1])
        assert not torch.equal(weight[1], weight[2])
        assert weight.abs().max() <= 5**-0.5
    assert sum(weight[0].numel() for weight in stack.parameters()) == (60 + 15 + 75 + 5) + (75 + 15 + 75 + 5) + 6


# ---- the discriminative score


@pytest.mark.usefixtures("quick")
def test_what_is_separable_is_told_apart():
    found = discriminative_score(noise(0, 150, channels=6), noise(1, 150, channels=6, shift=4), repeats=3, steps=60)
    assert found.shape == (3,)
    assert found.min() > 0.45
    assert found.max() <= 0.5


@pytest.mark.usefixtures("quick")
def test_what_differs_only_in_its_course_is_told_apart_as_well():
    real = waves(0, 300, channels=4)
    shuffled = np.random.default_rng(0).permuted(real, axis=1)  # the same values, in another order
    assert discriminative_score(real, shuffled, repeats=2, steps=120).mean() > 0.3


@pytest.mark.usefixtures("quick")
def test_one_distribution_is_not_told_apart():
    found = discriminative_score(noise(0, 1000), noise(1, 1000), repeats=4, steps=40)
    assert found.max() < 0.1  # of 400 windows: three standard errors are 0.075
    assert found.min() >= 0


def test_as_many_of_each_kind_are_told_apart():
    # All fifty are alike in everything but their kind: a guesser of the commoner kind would have a score.
    found = discriminative_score(np.zeros((50, 4, 1), np.float32), np.zeros((500, 4, 1), np.float32), steps=30)
    assert found.tolist() == [0.0] * 10


# ---- the predictive score


@pytest.mark.usefixtures("quick")
def test_what_is_predictable_has_a_lower_error_than_noise():
    of_waves = predictive_score(waves(0, 200), waves(1, 200), repeats=3, steps=120).mean()
    of_noise = predictive_score(noise(0, 200, channels=2), noise(1, 200, channels=2), repeats=3, steps=120).mean()
    assert of_waves < 0.15
    # The best guess of a normal number is its mean, and what it is off by is known.
    span = np.ptp(noise(0, 200, channels=2)[:, :, 1])
    assert of_noise == pytest.approx(np.sqrt(2 / np.pi) / span, rel=0.1)
    learnt_from_noise = predictive_score(waves(0, 200), noise(1, 200, time=12, channels=2), repeats=3, steps=120).mean()
    assert learnt_from_noise > 2 * of_waves


@pytest.mark.usefixtures("quick")
def test_real_windows_in_the_place_of_the_synthetic_ones_are_the_floor():
    real = waves(0, 200)
    floor = predictive_score(real, real, repeats=3, steps=100)
    assert np.array_equal(predictive_score(real, real.copy(), repeats=3, steps=100), floor)
    assert predictive_score(real, waves(1, 200), repeats=3, steps=100).mean() == pytest.approx(floor.mean(), abs=0.02)
    assert predictive_score(real, 0.5 * real, repeats=3, steps=100).mean() > floor.mean() + 0.02


@pytest.mark.usefixtures("quick")
def test_one_channel_is_predicted_from_itself():
    found = predictive_score(waves(0, 200, channels=1), waves(1, 200, channels=1), repeats=2, steps=150)
    assert found.shape == (2,)
    assert found.max() < 0.2  # the mean error of saying the middle is 0.32


# ---- both


@pytest.mark.parametrize("score", [discriminative_score, predictive_score])
@pytest.mark.usefixtures("quick")
def test_the_same_seed_gives_the_same_and_another_another(score):
    before = torch.get_rng_state()
    a, b = noise(0, 100), noise(1, 100, shift=1)
    calls = []
    first = score(a, b, repeats=6, steps=60)
    again = score(a, b, repeats=6, steps=60, on_step=lambda done, total: calls.append((done, total)))
    assert np.array_equal(first, again)
    assert calls == [(done, 60) for done in range(1, 61)]
    assert len(set(first.tolist())) > 1  # the repeats are not one
    assert not np.array_equal(score(a, b, repeats=6, steps=60, seed=1), first)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("score", [discriminative_score, predictive_score])
def test_units_do_not_show(score):
    a, b = noise(0, 60), noise(1, 60, shift=0.3)
    units = np.float32([1, 1024, 2**-10])  # powers of two: nothing is rounded
    assert np.array_equal(score(units * a, units * b, steps=5), score(a, b, steps=5))


@pytest.mark.parametrize("score", [discriminative_score, predictive_score])
def test_the_batches_of_the_test_do_not_show(score, monkeypatch):
    a, b = noise(0, 90), noise(1, 90, shift=0.3)
    whole = score(a, b, repeats=2, steps=3)
    monkeypatch.setattr(scores, "TESTED_WINDOWS", 7)
    assert score(a, b, repeats=2, steps=3) == pytest.approx(whole, abs=1e-6)


def test_scaling_is_by_the_real_windows():
    real, other = noise(0, 20), noise(1, 20, shift=1)
    real[:, :, 2] = 5.0  # constant
    scaled, beside = scale_by(real, real, other)
    assert scaled[:, :, :2].min(axis=(0, 1)).tolist() == [0, 0]
    assert scaled[:, :, :2].max(axis=(0, 1)) == pytest.approx([1, 1])
    assert np.isfinite(scaled).all()
    assert scaled[:, :, 2].tolist() == np.zeros((20, 8)).tolist()
    assert beside[:, :, 0].mean() == pytest.approx((1 - real[:, :, 0].min()) / np.ptp(real[:, :, 0]), abs=0.05)


@pytest.mark.parametrize("score", [discriminative_score, predictive_score])
def test_what_cannot_be_scored_is_said(score):
    with pytest.raises(DataError, match=r"same \(time, channels\), got \(20, 8, 3\) and \(20, 9, 3\)"):
        score(noise(0, 20), noise(1, 20, time=9))
    with pytest.raises(DataError, match="same"):
        score(noise(0, 20)[:, :, 0], noise(1, 20)[:, :, 0])
    with pytest.raises(DataError, match="at least 10 windows of each kind, got 20 and 9"):
        score(noise(0, 20), noise(1, 9))
    assert len(score(noise(0, 10), noise(1, 10), repeats=1, steps=1)) == 1


def test_a_single_step_has_no_next():
    with pytest.raises(DataError, match="windows of at least 2, got 1"):
        predictive_score(noise(0, 20, time=1), noise(1, 20, time=1))
    assert discriminative_score(noise(0, 20, time=1), noise(1, 20, time=1), repeats=1, steps=1).shape == (1,)


@pytest.mark.parametrize(
    ("score", "layers", "calls"), [(discriminative_score, 2, (1, 2, 5)), (predictive_score, 1, (1, 1, 4))]
)
def test_the_networks_are_those_of_the_paper(score, layers, calls, monkeypatch):
    """Two layers that read every channel, or one that reads all but the last; half as many units as channels."""
    built = []

    class Noted(Stack):
        def __init__(self, repeats, channels, hidden, *, layers, rng):
            built.append((repeats, channels, hidden, layers))
            super().__init__(repeats, channels, hidden, layers=layers, rng=rng)

    monkeypatch.setattr(scores, "Stack", Noted)
    for channels in (1, 2, 5):
        score(noise(0, 20, channels=channels), noise(1, 20, channels=channels), steps=1)
    assert built == [(10, calls[0], 1, layers), (10, calls[1], 1, layers), (10, calls[2], 2, layers)]
    assert len(Stack(1, 3, 2, layers=layers, rng=torch.Generator()).layers) == layers


def test_unless_told_the_steps_are_those_of_the_paper(monkeypatch):
    trained = []
    monkeypatch.setattr(scores, "train", lambda net, loss, steps, tell: trained.append(steps))
    discriminative_score(noise(0, 20), noise(1, 20))
    predictive_score(noise(0, 20), noise(1, 20))
    assert trained == [2000, 5000]
    assert (scores.BATCH_WINDOWS, scores.RATE) == (128, 1e-3)
