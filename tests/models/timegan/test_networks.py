"""TimeGAN's networks: what each reads, what it gives, and how a window is cut into steps."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ecgsynth.models.timegan.networks import Nets, Recurrent, TimeGANConfig
from ecgsynth.models.timegan.recurrence import CELLS

pytestmark = pytest.mark.trains

LABELS = torch.tensor([0, 2, 1, 1])
Make = Callable[..., Nets]
Parts = Callable[[Nets], dict[str, nn.Module]]


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def inputs_of(net: nn.Module) -> int:
    return int((net if isinstance(net, Recurrent) else net.net).read.in_features)  # type: ignore[union-attr]


def of(net: Any, x: Tensor, label: Tensor, statics: Tensor) -> Tensor:
    """What a network gives; the discriminator is shown statics among its inputs."""
    return net(x, label, statics) if isinstance(net, Recurrent) else net(x, label)  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["embedder", "recovery", "generator", "supervisor", "discriminator"])
def test_every_network_reads_the_class(make: Make, parts: Parts, name: str) -> None:
    net = parts(make())[name]
    x = uniform(3, 1, inputs_of(net)).expand(-1, 3, -1)
    found = of(net, x, torch.arange(3), uniform(1, 1).expand(3, 1))
    found = found if found.dim() == 3 else found.view(1, 3, 1)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        assert (found[:, a] - found[:, b]).abs().min() > 1e-6


@pytest.mark.parametrize("name", ["embedder", "recovery", "generator", "supervisor"])
def test_every_network_reads_the_statics(make: Make, parts: Parts, name: str) -> None:
    net = parts(make())[name]
    x = uniform(3, 1, inputs_of(net)).expand(-1, 2, -1)
    one, other = of(net, x, torch.zeros(2, dtype=torch.int64), torch.tensor([[0.0], [1.0]])).unbind(dim=1)
    assert (one - other).abs().min() > 1e-6


@pytest.mark.parametrize("cell", list(CELLS))
def test_a_step_of_a_window_is_made_from_the_noise_of_those_before(make: Make, cell: str) -> None:
    made = make(cell=cell, static_channels=()).generator
    draws = uniform(1, made.config.noise_dim)
    z = torch.randn(1, made.config.normals)
    later = z.clone()
    later[:, -made.config.noise :] += 1  # the noise of the last of three steps
    one, other = (made.supervisor(made(noise, LABELS[:1])[0], LABELS[:1], z[:, :0]) for noise in (z, later))
    assert torch.equal(one[:2], other[:2])
    assert (one[2] != other[2]).any()
    assert made.from_uniform(draws, LABELS[:1]).shape == (1, made.config.features)


def test_the_noise_of_the_window_is_in_every_step(make: Make) -> None:
    made = make().generator
    z = torch.randn(1, made.config.normals)
    other = z.clone()
    other[:, 0] += 1
    assert ((made(z, LABELS[:1])[0] - made(other, LABELS[:1])[0]).abs().amax(dim=2) > 0).all()


def test_frames_and_statics_are_the_window_in_another_order(make: Make) -> None:
    made = make().generator
    x = torch.arange(2.0 * 18).view(2, 6, 3)  # two windows of six samples, two channels and a static
    x[:, :, 1] = torch.tensor([[5.0], [7.0]])
    frames, statics = made.frames(x.flatten(1))
    assert statics.tolist() == [[5.0], [7.0]]
    assert frames.shape == (3, 2, 4)
    assert frames[1, 0].tolist() == x[0, 2:4][:, [0, 2]].flatten().tolist()  # the second step: samples 2 and 3
    assert torch.equal(made.window(frames, statics), x.flatten(1))


def test_a_static_is_the_same_at_every_sample_and_another_in_another_window(make: Make) -> None:
    made = make().generator
    found = made.from_uniform(uniform(4, made.config.noise_dim), LABELS).view(4, 6, 3)[:, :, 1]
    assert (found == found[:, :1]).all()
    assert len(set(found[:, 0].tolist())) == 4


def test_codes_have_the_scale_that_the_settings_say(make: Make) -> None:
    x = uniform(4, 18)
    for codes in ("normal", "sigmoid"):
        nets = make(codes=codes)
        frames, statics = nets.generator.frames(x)
        found = nets.embedder(frames, LABELS, statics)
        early, made_statics = nets.generator(torch.randn(4, nets.generator.config.normals), LABELS)
        for code in (found, early, nets.generator.supervisor(early, LABELS, made_statics)):
            if codes == "sigmoid":
                assert ((code > 0) & (code < 1)).all()
            else:
                assert torch.allclose(code.mean(dim=2), torch.zeros(3, 4), atol=1e-5)
                assert torch.allclose(code.var(dim=2, correction=0), torch.ones(3, 4), atol=1e-2)


@pytest.mark.parametrize("cell", list(CELLS))
def test_windows_are_made_row_for_row(make: Make, cell: str) -> None:
    made = make(cell=cell).generator
    draws = uniform(4, made.config.noise_dim)
    whole = made.from_uniform(draws, LABELS)
    for row in range(4):
        assert torch.allclose(made.from_uniform(draws[row : row + 1], LABELS[row : row + 1])[0], whole[row], atol=1e-6)


def test_without_classes_the_label_is_not_read(make: Make) -> None:
    made = make(classes=1).generator
    draws = uniform(4, made.config.noise_dim)
    assert torch.equal(made.from_uniform(draws, LABELS), made.from_uniform(draws, LABELS * 0))


def test_windows_are_judged_as_a_whole_and_steps_one_by_one(make: Make) -> None:
    for objective, shape in (("relativistic", (4,)), ("cross-entropy", (3, 4))):
        net = make(objective=objective).discriminator
        assert net(uniform(3, 4, inputs_of(net)), LABELS).shape == shape


def test_what_differs_between_windows_comes_through_when_training_begins(make: Make) -> None:
    nets = make(time=24, channels=5, frame=1, static_channels=(), classes=1, hidden=32)
    label = torch.zeros(64, dtype=torch.int64)
    frames, statics = nets.generator.frames(torch.randn(64, 120))
    back = nets.generator.recovery(nets.embedder(frames, label, statics), label, statics)
    assert back.std(dim=1).mean() > 0.1  # with the paper's three layers of GRU and torch's own start 0.00002


def test_the_sizes_that_follow_from_the_settings() -> None:
    config = TimeGANConfig(time=12, channels=4, static_channels=(3,), frame=3, noise=3, window_noise=2)
    assert (config.latent_steps, config.moving, config.frame_numbers, config.features) == (4, 3, 9, 48)
    assert (config.normals, config.noise_dim) == (14, 14)
    assert TimeGANConfig(time=12, window_noise=1, noise=1).noise_dim == 14  # 13, and one more for a pair
