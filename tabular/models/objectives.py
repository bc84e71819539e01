"""The objectives of generators and critics of tables: each loss a function, with the paper and the equation it is from.

In all of them ``score`` is the critic: rows (n, width) -> (n,), higher is more real; of some objectives it gives
features (n, k) instead. Where rows are packed, n counts packs, and a penalty has one norm a pack. An objective is an
entry of OBJECTIVES: whoever trains by it knows none of the names.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = [
    "OBJECTIVES",
    "Objective",
    "clipped",
    "confine",
    "cramer_critic",
    "cramer_critic_loss",
    "cramer_generator_loss",
    "critic_loss",
    "dragan_penalty",
    "generator_loss",
    "gradient_penalty",
    "slope_of",
    "vanilla_critic_loss",
    "vanilla_generator_loss",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]

Score = Callable[[Tensor], Tensor]
Slope = Callable[[Tensor], Tensor]
AWAY_DEVIATIONS = 0.5  # DRAGAN: how far a real row is disturbed, in standard deviations of the batch
SMALLEST_SQUARE = 1e-12  # of a norm, at which its slope, which grows without bound towards 0, is cut off


@dataclass(frozen=True, slots=True)
class Seen:
    """What a penalty is of.

    score, slope: the critic, and its gradient by the rows, see slope_of; real, fake: (n, width) rows; on_others: what
    the critic gives for the sets of made rows beyond the first
    """

    score: Score
    slope: Slope
    real: Tensor
    fake: Tensor
    on_others: list[Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What a critic and a generator play for.

    Parameters
    ----------
    critic
        What the critic minimises: of what it gives for the real rows, then for each set of made rows.
    generator
        What the generator minimises: of what the critic gives for each set of made rows; before them for the real
        ones, if ``generator_reads_real``.
    penalty
        What is added to the critic's loss, times a weight.
    after_step
        What becomes of each of the critic's weights after its update, by the setting ``clip``; it may be derived.
    sets
        How many rows are made for each real one.
    features
        Whether the critic gives features for a row, rather than one score.
    generator_reads_real
        Whether the generator's loss is of the real rows too.

    """

    critic: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    penalty: Callable[[Seen, torch.Generator], Tensor] | None = None
    after_step: Callable[[Tensor, float], Tensor] | None = None
    sets: int = 1
    features: bool = False
    generator_reads_real: bool = False


def vanilla_critic_loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """-E ln D(x) - E ln(1 - D(G(z))), D = sigmoid(score); Goodfellow et al., "GANs", 2014, equation 1."""
    return softplus(-on_real).mean() + softplus(on_fake).mean()


def vanilla_generator_loss(on_fake: Tensor) -> Tensor:
    """-E ln D(G(z)), the non-saturating form of Goodfellow et al. 2014, end of section 3."""
    return softplus(-on_fake).mean()


def wasserstein_critic_loss(on_real: Tensor, on_fake: Tensor) -> Tensor:
    """E f(G(z)) - E f(x); Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, equation 3 with its sign turned."""
    return on_fake.mean() - on_real.mean()


def wasserstein_generator_loss(on_fake: Tensor) -> Tensor:
    """-E f(G(z)); Arjovsky, Chintala and Bottou 2017, algorithm 1, line 10."""
    return -on_fake.mean()


def clipped(weight: Tensor, bound: float) -> Tensor:
    """A weight within -bound and bound; Arjovsky, Chintala and Bottou 2017, algorithm 1, line 7."""
    return weight.clamp(-bound, bound)


def slope_of(score: Score) -> Slope:
    """The gradient of a score by its input, to be derived itself."""

    def slope(x: Tensor) -> Tensor:
        return torch.autograd.grad(score(x).sum(), x, create_graph=True)[0]

    return slope


def one_slope(slope: Slope, x: Tensor) -> Tensor:
    """E (|grad f(x)| - 1)^2, one norm a row."""
    penalty: Tensor = (slope(x.requires_grad_()).norm(dim=1) - 1).square().mean()
    return penalty


def gradient_penalty(slope: Slope, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """E (|grad f(x)| - 1)^2, x between real and fake; Gulrajani et al., "Improved Training of WGANs", 2017, eq. 3."""
    mix = torch.rand(len(real), 1, generator=rng, device=real.device)
    return one_slope(slope, torch.lerp(fake, real, mix))


def dragan_penalty(score: Score, real: Tensor, rng: torch.Generator) -> Tensor:
    """E (|grad D(x + d)| - 1)^2 around real rows x, where D is the sigmoid of the score, and d is normal.

    The deviation of d is half of that of the batch.

    References
    ----------
    Kodali et al., "On Convergence and Stability of GANs", 2017, section 2.3.

    """
    noise = torch.randn(real.shape, generator=rng, device=real.device)
    return one_slope(slope_of(lambda x: torch.sigmoid(score(x))), real + AWAY_DEVIATIONS * real.std() * noise)


def length(vectors: Tensor) -> Tensor:
    """(n, k) -> (n,), the Euclidean norm, with a slope of 0 at 0."""
    return vectors.square().sum(dim=1).clamp(min=SMALLEST_SQUARE).sqrt()


def cramer_critic(features: Tensor, other: Tensor) -> Tensor:
    """|h(x) - h(x')| - |h(x)|, x' made independently of x.

    Parameters
    ----------
    features, other
        h(x) and h(x'), (n, k) each.

    Returns
    -------
    (n,)

    References
    ----------
    Bellemare et al., "The Cramer Distance as a Solution to Biased Wasserstein Gradients", 2017, algorithm 1.

    """
    return length(features - other) - length(features)


def cramer_critic_loss(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """E f(x_g) - E f(x_r) of features (n, k); Bellemare et al. 2017, algorithm 1, surrogate with its sign turned."""
    return wasserstein_critic_loss(cramer_critic(real, other), cramer_critic(fake, other))


def cramer_generator_loss(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """The energy distance: E|h(x_r) - h(x_g)| + E|h(x_r) - h(x_g')| - E|h(x_g) - h(x_g')|.

    The term of two real rows is left out: it does not depend on the generator.

    References
    ----------
    Bellemare et al. 2017 (see ``cramer_critic``), algorithm 1 and equation 4.

    """
    return (length(real - fake) + length(real - other) - length(fake - other)).mean()


def cramer_penalty(seen: Seen, rng: torch.Generator) -> Tensor:
    """The gradient penalty of Cramer's critic, x' the second set of made rows; Bellemare et al. 2017, algorithm 1."""
    slope = slope_of(lambda x: cramer_critic(seen.score(x), seen.on_others[0]))
    return gradient_penalty(slope, seen.real, seen.fake, rng)


OBJECTIVES = {
    "vanilla": Objective(critic=vanilla_critic_loss, generator=vanilla_generator_loss),
    "clip": Objective(critic=wasserstein_critic_loss, generator=wasserstein_generator_loss, after_step=clipped),
    "gp": Objective(
        critic=wasserstein_critic_loss,
        generator=wasserstein_generator_loss,
        penalty=lambda seen, rng: gradient_penalty(seen.slope, seen.real, seen.fake, rng),
    ),
    "dragan": Objective(
        critic=vanilla_critic_loss,
        generator=vanilla_generator_loss,
        penalty=lambda seen, rng: dragan_penalty(seen.score, seen.real, rng),
    ),
    "cramer": Objective(
        critic=cramer_critic_loss,
        generator=cramer_generator_loss,
        penalty=cramer_penalty,
        sets=2,
        features=True,
        generator_reads_real=True,
    ),
}


def critic_loss(
    objective: Objective, score: Score, slope: Slope, real: Tensor, made: Tensor, rng: torch.Generator, weight: float
) -> dict[str, Tensor]:
    """What the critic minimises, and its parts.

    Parameters
    ----------
    objective
        What is played for.
    score, slope
        The critic, and its gradient by the rows, see slope_of.
    real
        (n, width) real rows.
    made
        (sets * n, width) made rows.
    rng
        What draws where the penalty is taken.
    weight
        Of the penalty, 0 where none is taken.

    Returns
    -------
    dict
        "loss", the sum, and its parts "critic" and, where one is taken, "penalty"; all scalars.

    """
    on_real, *on_made = score(torch.cat([real, made])).split(len(real))
    loss = objective.critic(on_real, *on_made)
    parts = {"critic": loss}
    if objective.penalty is None or not weight > 0:
        return {"loss": loss, **parts}
    penalty = objective.penalty(Seen(score, slope, real, made[: len(real)], on_made[1:]), rng)
    return {"loss": loss + weight * penalty, **parts, "penalty": penalty}


def generator_loss(objective: Objective, score: Score, real: Tensor, made: Tensor) -> Tensor:
    """What the generator minimises, a scalar; real and made as for the critic."""
    seen = torch.cat([real, made]) if objective.generator_reads_real else made
    return objective.generator(*score(seen).split(len(real)))


@torch.no_grad()
def confine(objective: Objective, critic: nn.Module, bound: float) -> None:
    """Do with a critic's weights what the objective asks for after an update."""
    if objective.after_step is not None:
        for parameter in critic.parameters():
            parameter.copy_(objective.after_step(parameter, bound))
