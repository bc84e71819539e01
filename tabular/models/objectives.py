"""What generators and critics of tables play for: each loss a function, with the paper and the equation it is from.

In all of them ``score`` is the critic: rows (n, width) -> (n,), higher is more real; Cramer's gives features (n, k).
Where rows are packed, n counts packs, and a penalty has one norm a pack.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

__all__ = [
    "clip_weights",
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
PENALISED = ("gp", "dragan", "cramer")
AWAY = 0.5  # DRAGAN: how far a real row is disturbed, in standard deviations of the batch
SMALLEST = 1e-12  # a norm's square at which its slope, which grows without bound towards 0, is cut off


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


@torch.no_grad()
def clip_weights(critic: nn.Module, bound: float) -> None:
    """Keep every weight within -bound and bound; Arjovsky, Chintala and Bottou 2017, algorithm 1, line 7."""
    for parameter in critic.parameters():
        parameter.clamp_(-bound, bound)


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
    """E (|grad D(x + d)| - 1)^2 around real rows x; Kodali et al., "On Convergence and Stability of GANs", 2017.

    Section 2.3: D is the sigmoid of the score, d is normal; its deviation is half of that of the batch.
    """
    noise = torch.randn(real.shape, generator=rng, device=real.device)
    return one_slope(slope_of(lambda x: torch.sigmoid(score(x))), real + AWAY * real.std() * noise)


def length(vectors: Tensor) -> Tensor:
    """(n, k) -> (n,), the Euclidean norm, with a slope of 0 at 0."""
    return vectors.square().sum(dim=1).clamp(min=SMALLEST).sqrt()


def cramer_critic(features: Tensor, other: Tensor) -> Tensor:
    """|h(x) - h(x')| - |h(x)|, x' made independently of x; Bellemare et al., "The Cramer Distance", 2017, algorithm 1.

    features h(x), other h(x'): (n, k) -> (n,)
    """
    return length(features - other) - length(features)


def cramer_critic_loss(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """E f(x_g) - E f(x_r) of features (n, k); Bellemare et al. 2017, algorithm 1, surrogate with its sign turned."""
    return wasserstein_critic_loss(cramer_critic(real, other), cramer_critic(fake, other))


def cramer_generator_loss(real: Tensor, fake: Tensor, other: Tensor) -> Tensor:
    """E|h(x_r) - h(x_g)| + E|h(x_r) - h(x_g')| - E|h(x_g) - h(x_g')|: the energy distance; Bellemare et al. 2017.

    Algorithm 1 and equation 4, but for the term of two real rows, which does not depend on the generator.
    """
    return (length(real - fake) + length(real - other) - length(fake - other)).mean()


def critic_loss(
    objective: str, score: Score, slope: Slope, real: Tensor, made: Tensor, rng: torch.Generator, weight: float
) -> dict[str, Tensor]:
    """What the critic minimises as "loss", and its parts; all scalars.

    slope: of the score, see slope_of; real: (n, width); made: (n, width), of Cramer (2 n, width); weight: the
    penalty's, 0 where none is taken.
    """
    on_real, on_fake, *rest = score(torch.cat([real, made])).split(len(real))
    if objective == "cramer":
        loss = cramer_critic_loss(on_real, on_fake, rest[0])
    elif objective in ("vanilla", "dragan"):
        loss = vanilla_critic_loss(on_real, on_fake)
    else:
        loss = wasserstein_critic_loss(on_real, on_fake)
    parts = {"critic": loss}
    if objective not in PENALISED or not weight > 0:
        return {"loss": loss, **parts}
    if objective == "dragan":
        penalty = dragan_penalty(score, real, rng)
    else:
        judge = slope if objective == "gp" else slope_of(lambda x: cramer_critic(score(x), rest[0]))
        penalty = gradient_penalty(judge, real, made[: len(real)], rng)
    return {"loss": loss + weight * penalty, **parts, "penalty": penalty}


def generator_loss(objective: str, score: Score, real: Tensor, made: Tensor) -> Tensor:
    """What the generator minimises, a scalar; real and made as for the critic, but only Cramer's reads the real."""
    if objective == "cramer":
        return cramer_generator_loss(*score(torch.cat([real, made])).split(len(real)))
    on_fake = score(made)
    return (
        vanilla_generator_loss(on_fake) if objective in ("vanilla", "dragan") else wasserstein_generator_loss(on_fake)
    )
