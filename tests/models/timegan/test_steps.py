"""TimeGAN's steps: each goes down its objective and moves its own networks, as a slow reference says."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ecgsynth.models.timegan.losses import (
    GATE,
    WEIGHTS,
    Scores,
    autoencoder_objective,
    discriminator_loss,
    generator_loss,
    generator_objective,
    moments_loss,
    slope_penalty,
)
from ecgsynth.models.timegan.networks import Nets
from ecgsynth.models.timegan.recurrence import CELLS
from ecgsynth.models.timegan.steps import embedding_step, joint_step, supervisor_step

from .conftest import RATE

pytestmark = pytest.mark.trains

LABELS = torch.tensor([0, 2, 1, 1])
Make = Callable[..., Nets]
Parts = Callable[[Nets], dict[str, nn.Module]]
OBJECTIVES = pytest.mark.parametrize("objective", ["relativistic", "cross-entropy"])


def batch(nets: Nets, n: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    """Windows of which statics are constant, their classes, and noise."""
    config, rng = nets.generator.config, torch.Generator().manual_seed(1)
    x = torch.randn(n, config.time, config.channels, generator=rng)
    x[:, :, list(config.static_channels)] = x[:, :1, list(config.static_channels)]
    return x.flatten(1), LABELS.repeat(n // 4), torch.randn(n, config.normals, generator=rng)


def weights(nets: Nets, parts: Parts) -> dict[str, dict[str, Tensor]]:
    return {name: copy.deepcopy(part.state_dict()) for name, part in parts(nets).items()}


def moved(nets: Nets, parts: Parts, before: dict[str, dict[str, Tensor]]) -> set[str]:
    """The networks of which a weight has changed."""
    return {
        name
        for name, part in parts(nets).items()
        if any(not torch.equal(value, before[name][key]) for key, value in part.state_dict().items())
    }


def test_an_embedding_step_moves_the_autoencoder_only(make: Make, parts: Parts) -> None:
    nets = make()
    before, (x, label, _) = weights(nets, parts), batch(nets)
    assert set(embedding_step(nets, x, label)) == {"reconstruction"}
    assert moved(nets, parts, before) == {"embedder", "recovery"}


def test_a_supervisor_step_moves_the_supervisor_only(make: Make, parts: Parts) -> None:
    nets = make()
    before, (x, label, _) = weights(nets, parts), batch(nets)
    assert set(supervisor_step(nets, x, label)) == {"supervised"}
    assert moved(nets, parts, before) == {"supervisor"}


def wide(*arrays: Tensor) -> Tensor:
    """Codes, frames and statics beside each other at each step."""
    return torch.cat([part if part.dim() == 3 else part[None].expand(3, -1, -1) for part in arrays], dim=2)


@OBJECTIVES
@pytest.mark.parametrize("cell", list(CELLS))
def test_a_joint_step_goes_down_all_objectives_at_the_same_weights(
    make: Make, parts: Parts, objective: str, cell: str
) -> None:
    nets = make(objective=objective, cell=cell)
    for part in parts(nets).values():
        part.double()
    slow, before = copy.deepcopy(nets), weights(nets, parts)
    x, label, z = (value.double() if value.is_floating_point() else value for value in batch(nets))
    made, judge = slow.generator, slow.discriminator
    frames, statics = made.frames(x)
    code = slow.embedder(frames, label, statics)
    recovered = made.recovery(code, label, statics)
    early, made_statics = made(z, label)
    fake = made.supervisor(early, label, made_statics)
    window = made.recovery(fake, label, made_statics)
    following = made.supervisor(code.detach(), label, statics)
    supervised = (following[:-1] - code[1:].detach()).square().mean()
    if objective == "relativistic":
        shown = [wide(code, recovered, statics), wide(fake, window, made_statics)]
    else:
        shown = [wide(code, statics), wide(fake, made_statics), wide(early, made_statics)]
    scores = Scores(*(judge(one, label) for one in shown))
    penalty = slope_penalty(lambda y: judge(y, label[::2].repeat(2)), torch.cat([one[:, ::2] for one in shown[:2]], 1))
    relativistic = objective == "relativistic"
    for_generator = generator_loss(scores) + generator_objective(
        WEIGHTS[objective], supervised, moments_loss(x, made.window(window, made_statics))
    )
    slopes: list[tuple[Tensor, Tensor]] = []
    for loss, names in (
        (autoencoder_objective((recovered - frames).square().mean()), ("embedder", "recovery")),
        (for_generator, ("generator", "supervisor", "static")),
        (discriminator_loss(scores) + (3.0 / 2 * penalty if relativistic else 0), ("discriminator",)),
    ):
        own = [parameter for name in names for parameter in parts(slow)[name].parameters()]
        found = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        slopes += [(parameter, slope) for parameter, slope in zip(own, found, strict=True) if slope is not None]
    for parameter, slope in slopes:
        parameter.data -= RATE * slope
    joint_step(nets, x, label, z, penalise=3.0 if relativistic else 0.0)
    for name, part in parts(nets).items():
        for key, value in part.state_dict().items():
            torch.testing.assert_close(value, parts(slow)[name].state_dict()[key], rtol=1e-6, atol=1e-9, msg=key)
    assert moved(nets, parts, before) == set(parts(nets))
    assert all(parameter.requires_grad for part in parts(nets).values() for parameter in part.parameters())


@OBJECTIVES
def test_a_joint_step_says_its_losses(make: Make, objective: str) -> None:
    nets = make(objective=objective)
    names = {"reconstruction", "supervised", "moments", "generator", "discriminator"}
    assert set(joint_step(nets, *batch(nets))) == names
    found = joint_step(nets, *batch(nets), penalise=1.0)
    assert set(found) == names | {"penalty"}
    assert not any(loss.requires_grad for loss in found.values())


def test_a_discriminator_of_steps_that_is_far_ahead_rests(
    monkeypatch: pytest.MonkeyPatch, make: Make, parts: Parts
) -> None:
    nets = make(objective="cross-entropy")
    before = weights(nets, parts)
    loss = joint_step(nets, *batch(nets))["discriminator"].item()
    assert loss > GATE == 0.15
    for name, part in parts(nets).items():
        part.load_state_dict(before[name])
    monkeypatch.setattr("ecgsynth.models.timegan.steps.GATE", loss + 1e-4)
    assert joint_step(nets, *batch(nets))["discriminator"].item() == pytest.approx(loss)
    assert moved(nets, parts, before) == set(parts(nets)) - {"discriminator"}


def test_a_few_windows_are_learnt_by_heart(make: Make) -> None:
    nets = make(hidden=16)
    x, label, _ = batch(nets)
    own = [*nets.embedder.parameters(), *nets.generator.recovery.parameters()]
    object.__setattr__(nets, "autoencoder_optimizer", torch.optim.Adam(own, lr=2e-2))
    found = [embedding_step(nets, x, label)["reconstruction"].item() for _ in range(80)]
    assert found[0] > 0.5  # windows have a variance of 1
    assert found[-1] < 0.02


def test_the_supervisor_learns_what_follows(make: Make) -> None:
    nets = make(hidden=16)
    x, label, _ = batch(nets)
    object.__setattr__(nets, "generator_optimizer", torch.optim.Adam(nets.generator.supervisor.parameters(), lr=2e-2))
    found = [supervisor_step(nets, x, label)["supervised"].item() for _ in range(80)]
    assert found[-1] < 0.1 * found[0]
