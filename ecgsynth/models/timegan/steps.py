"""One update of TimeGAN in each of its three phases: x (n, features), label (n,), z (n, normals)."""

import torch
from torch import Tensor

from ecgsynth.models.timegan.losses import (
    GATE,
    WEIGHTS,
    Scores,
    autoencoder_objective,
    discriminator_loss,
    generator_loss,
    generator_objective,
    moments_loss,
    reconstruction_loss,
    slope_penalty,
    supervised_loss,
)
from ecgsynth.models.timegan.networks import Nets

__all__ = ["embedding_step", "joint_step", "supervisor_step"]

PENALISED_EVERY = 2  # of a batch, the windows whose slopes are penalised: twice differentiated, they cost most


def embedding_step(nets: Nets, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """First phase: one update of embedder and recovery by the reconstruction alone."""
    frames, statics = nets.generator.frames(x)
    code = nets.embedder(frames, label, statics)
    loss = reconstruction_loss(frames, nets.generator.recovery(code, label, statics))
    go_down(nets.autoencoder_optimizer, autoencoder_objective(loss))
    return {"reconstruction": loss.detach()}


def supervisor_step(nets: Nets, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Second phase: one update of the supervisor on real codes; the embedder is only read."""
    frames, statics = nets.generator.frames(x)
    with torch.no_grad():
        code = nets.embedder(frames, label, statics)
    loss = supervised_loss(code, nets.generator.supervisor(code, label, statics))
    go_down(nets.generator_optimizer, loss)
    return {"supervised": loss.detach()}


def joint_step(nets: Nets, x: Tensor, label: Tensor, z: Tensor, *, penalise: float = 0.0) -> dict[str, Tensor]:
    """Third phase: one update of all five networks, equations 8, 10 and 11.

    Differs from the paper: all updates are taken at the same weights, from one forward pass of each network.

    Parameters
    ----------
    nets
        The networks and their optimisers.
    x, label
        Real windows (n, features) and their classes (n,).
    z
        (n, normals), standard normal.
    penalise
        The weight of the penalty of this step; 0: there is none.

    Returns
    -------
    The losses, scalars on the device.

    """
    generator = nets.generator
    config, recovery = generator.config, generator.recovery
    frames, statics = generator.frames(x)
    code = nets.embedder(frames, label, statics)
    recovered = recovery(code, label, statics)
    reconstruction = reconstruction_loss(frames, recovered)

    early, made_statics = generator(z, label)
    real = code.detach()  # here the two objectives part
    both = generator.supervisor(torch.cat([real, early], dim=1), label.repeat(2), torch.cat([statics, made_statics]))
    following, fake = both.chunk(2, dim=1)
    supervised = supervised_loss(real, following)
    recovery.requires_grad_(False)
    made = recovery(fake, label, made_statics)
    recovery.requires_grad_(True)
    moments = moments_loss(x, generator.window(made, made_statics))

    if config.objective == "relativistic":
        shown = [beside(real, recovered.detach(), statics), beside(fake, made, made_statics)]
    else:
        shown = [beside(real, statics), beside(fake, made_statics), beside(early, made_statics)]
    judged, slopes = discriminator_step(nets, [one.detach() for one in shown], label, penalise)

    nets.generator_optimizer.zero_grad(set_to_none=True)
    objective = generator_objective(WEIGHTS[config.objective], supervised, moments)
    torch.autograd.backward([objective, *shown[1:]], [None, *slopes])
    nets.generator_optimizer.step()
    go_down(nets.autoencoder_optimizer, autoencoder_objective(reconstruction))
    found = {"reconstruction": reconstruction, "supervised": supervised, "moments": moments}
    return {name: loss.detach() for name, loss in (found | judged).items()}


def beside(*parts: Tensor) -> Tensor:
    """Codes, frames and statics side by side at each step: (steps, n, inputs)."""
    steps, n = parts[0].shape[:2]
    return torch.cat([part.expand(steps, n, -1) for part in parts], dim=2)


def discriminator_step(
    nets: Nets, shown: list[Tensor], label: Tensor, penalise: float
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """One update of the discriminator, and the slopes that the generator goes down, at the same weights.

    Differs from the paper: a discriminator of steps rests while its loss is at most GATE, as in the authors' code.

    Parameters
    ----------
    nets
        The networks; the discriminator is updated.
    shown
        What it is shown of real windows, of fake ones, and perhaps of fake ones before the supervisor; each
        (steps, n, inputs).
    label
        (n,) the classes of all of them.
    penalise
        The weight of the penalty; 0: there is none.

    Returns
    -------
    The losses, and the slope of the generator's at each but the first of ``shown``.

    """
    discriminator, optimizer = nets.discriminator, nets.discriminator_optimizer
    made = [one.requires_grad_() for one in shown[1:]]
    scores = Scores(*discriminator(torch.cat([shown[0], *made], dim=1), label.repeat(len(shown))).chunk(len(shown), -1))
    adversarial, loss = generator_loss(scores), discriminator_loss(scores)
    slopes = torch.autograd.grad(adversarial, made, retain_graph=True)
    found = {"generator": adversarial, "discriminator": loss}
    optimizer.zero_grad(set_to_none=True)
    loss.backward(inputs=list(discriminator.parameters()))
    if penalise:
        both = torch.cat([one.detach()[:, ::PENALISED_EVERY] for one in shown[:2]], dim=1)
        kinds = label[::PENALISED_EVERY].repeat(2)
        found["penalty"] = slope_penalty(lambda x: discriminator(x, kinds), both)
        (penalise / 2 * found["penalty"]).backward()
    if scores.early is None or loss > GATE:
        optimizer.step()
    return found, list(slopes)


def go_down(optimizer: torch.optim.Optimizer, objective: Tensor) -> None:
    """One update."""
    optimizer.zero_grad(set_to_none=True)
    objective.backward()
    optimizer.step()
