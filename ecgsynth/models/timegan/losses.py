"""TimeGAN's losses, with the paper's equations (Yoon et al. 2019), and the relativistic ones in place of equation 8.

The equations leave open how losses are weighed; the weights of "cross-entropy" are those of the authors' code, which
also has the loss of moments.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "GATE",
    "WEIGHTS",
    "Scores",
    "autoencoder_objective",
    "discriminator_loss",
    "generator_loss",
    "generator_objective",
    "moments_loss",
    "reconstruction_loss",
    "slope_penalty",
    "supervised_loss",
]

RECONSTRUCTION_WEIGHT = 10.0  # of sqrt(L_R), equation 10
EARLY_WEIGHT = 1.0  # of what is judged before the supervisor: gamma of the authors' code
GATE = 0.15  # the discriminator of steps rests while its loss is no higher
SAFE = 1e-12  # under a root: its slope at 0 is infinite


class Weights(NamedTuple):
    """Of the generator's objective, equation 11: eta of L_S, there beneath a root or not, and that of the moments."""

    supervised: float
    rooted: bool
    moments: float


WEIGHTS = {
    "relativistic": Weights(supervised=1.0, rooted=False, moments=1.0),
    "cross-entropy": Weights(supervised=100.0, rooted=True, moments=100.0),
}


class Scores(NamedTuple):
    """What the discriminator says of real and of fake windows; of steps also of codes before the supervisor."""

    real: Tensor
    fake: Tensor
    early: Tensor | None = None


def reconstruction_loss(x: Tensor, recovered: Tensor) -> Tensor:
    """L_R, equation 7: how far windows are from what comes back from their codes.

    Differs from the paper: a mean of squares, as in the authors' code, not of norms; so do the other distances.
    """
    return functional.mse_loss(recovered, x)


def supervised_loss(code: Tensor, following: Tensor) -> Tensor:
    """L_S, equation 9: how far each real code (steps, n, hidden) is from what the supervisor says after those before.

    Differs from the paper: the generator's noise has no part in it; a network of its own, the supervisor, makes each
    next code from those before, as in the authors' code. And it moves the supervisor alone, not the embedder, whose
    codes have a scale that is fixed.
    """
    return functional.mse_loss(following[:-1], code[1:])


def moments_loss(x: Tensor, made: Tensor) -> Tensor:
    """How far means and standard deviations over the batch are apart, for each number of a window (n, features).

    Differs from the paper, which does not have it: it is in the authors' code only.
    """
    spread, made_spread = (torch.sqrt(batch.var(dim=0, correction=0) + 1e-6) for batch in (x, made))
    return (made_spread - spread).abs().mean() + (made.mean(dim=0) - x.mean(dim=0)).abs().mean()


def autoencoder_objective(reconstruction: Tensor) -> Tensor:
    """Equation 10 without L_S, as the authors' code weighs it."""
    return RECONSTRUCTION_WEIGHT * torch.sqrt(reconstruction + SAFE)


def generator_objective(weights: Weights, supervised: Tensor, moments: Tensor) -> Tensor:
    """Equation 11 without L_U, which comes to the generator through what the discriminator has seen of it."""
    near = torch.sqrt(supervised + SAFE) if weights.rooted else supervised
    return weights.supervised * near + weights.moments * moments


def discriminator_loss(scores: Scores) -> Tensor:
    """What the discriminator goes down.

    Of windows: how much less real a real one looks than a fake one (RpGAN; Jolicoeur-Martineau, "The relativistic
    discriminator", 2019, as Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024, equation 2, pair them).
    Of steps: equation 8, with codes before the supervisor judged as well, as in the authors' code.
    """
    softplus = functional.softplus  # -ln(sigmoid(-a)); with -a for a, -ln(sigmoid(a))
    if scores.early is None:
        return softplus(scores.fake - scores.real).mean()
    fake = softplus(scores.fake).mean() + EARLY_WEIGHT * softplus(scores.early).mean()
    return softplus(-scores.real).mean() + fake


def generator_loss(scores: Scores) -> Tensor:
    """What the generator goes down: the same the other way round.

    Of steps it differs from the paper: -ln(y) for ln(1 - y), which has a slope also where the discriminator is sure.
    """
    softplus = functional.softplus
    if scores.early is None:
        return softplus(scores.real - scores.fake).mean()
    return softplus(-scores.fake).mean() + EARLY_WEIGHT * softplus(-scores.early).mean()


def slope_penalty(score: Callable[[Tensor], Tensor], shown: Tensor) -> Tensor:
    """Mean of |grad score|^2 over real windows, and over fake ones, added up (Mescheder et al. 2018: R1 and R2).

    Without it a discriminator that is shown few windows learns them by heart, and the pair of them circles.

    Parameters
    ----------
    score
        Maps (steps, n, inputs) to (n,).
    shown
        (steps, n, inputs), half of them real and half of them fake.

    """
    shown = shown.detach().requires_grad_()
    # cuDNN's recurrent kernels have no double backward.
    with torch.backends.cudnn.flags(enabled=False):
        (slope,) = torch.autograd.grad(score(shown).sum(), shown, create_graph=True)
    penalty: Tensor = 2 * slope.square().sum(dim=(0, 2)).mean()
    return penalty
