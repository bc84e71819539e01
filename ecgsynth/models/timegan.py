"""TimeGAN: a recurrent autoencoder, and a recurrent generator of its codes that is judged and supervised there.

Yoon, Jarrett and van der Schaar, "Time-series Generative Adversarial Networks", NeurIPS 2019. The paper's equations
leave open how losses are weighed; the weights here are those of the authors' code, which also has the loss of moments.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ecgsynth.core.config import JsonConfig, at_least
from ecgsynth.errors import ConfigError
from ecgsynth.models.model import WindowGenerator

__all__ = [
    "Latents",
    "Nets",
    "Recurrent",
    "TimeGANConfig",
    "TimeGANGenerator",
    "adversarial_loss",
    "discriminator_loss",
    "discriminator_step",
    "embedding_objective",
    "embedding_step",
    "generator_objective",
    "generator_step",
    "moments_loss",
    "reconstruction_loss",
    "supervised_loss",
    "supervisor_step",
]

LABEL_DIM = 8  # numbers that stand for a class, learnt by each network for itself

RECONSTRUCTION_WEIGHT = 10.0  # of sqrt(L_R), equation 10
EMBEDDING_SUPERVISED_WEIGHT = 0.1  # of L_S, equation 10: the paper's lambda
GENERATOR_SUPERVISED_WEIGHT = 100.0  # of sqrt(L_S), equation 11: the paper's eta
MOMENTS_WEIGHT = 100.0
EARLY_WEIGHT = 1.0  # of what is judged before the supervisor: gamma of the authors' code
GATE = 0.15  # the discriminator rests while its loss is no higher
INPUT_GAIN = 2.0  # of the weights on what a layer reads, when training begins
SQUASHED_GAIN = 4.0  # of a read-out before a sigmoid
SAFE = 1e-12  # under a root: its slope at 0 is infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeGANConfig(JsonConfig):
    """TimeGAN: what is made, and how large its networks are."""

    time: int  # samples a window
    channels: int = 1
    classes: int = 1  # 1: no condition; else every network reads the class at every step
    frame: int = 1  # samples that one latent step stands for: long windows need several
    cell: str = "gru"  # or "lstm"
    hidden: int = 24  # units of a layer, and numbers of a latent step
    layers: int = 3  # of each network; the supervisor has one less
    noise: int = 0  # uniform numbers read at each latent step; 0: as many as the step has numbers

    def __post_init__(self) -> None:
        at_least(self, 1, "time", "channels", "classes", "frame", "hidden", "layers")
        if self.noise == 0:
            object.__setattr__(self, "noise", self.frame * self.channels)
        at_least(self, 1, "noise")
        if self.cell not in ("gru", "lstm"):
            raise ConfigError(f"cell is gru or lstm, got {self.cell!r}")
        if self.time % self.frame:
            raise ConfigError(f"time must be a multiple of frame, got {self.time} samples in frames of {self.frame}")
        if self.latent_steps < 2:
            raise ConfigError(
                f"a window needs at least two latent steps, one to follow another; got {self.time} samples in one frame"
            )

    @property
    def latent_steps(self) -> int:
        """Steps of every recurrent network."""
        return self.time // self.frame

    @property
    def features(self) -> int:
        """Numbers of a window."""
        return self.time * self.channels

    @property
    def noise_dim(self) -> int:
        """Uniform numbers that one window is made from."""
        return self.latent_steps * self.noise


class Recurrent(nn.Module):
    """Layers of GRU or LSTM, forwards in time, and a linear read-out at each step; the class is read at each step.

    All five networks of TimeGAN are this. They look back only, so that a step is made from what is before it.

    forward: x (n, steps, inputs), label (n,) int64 -> (n, steps, outputs), in (0, 1) if ``squash``
    """

    def __init__(self, config: TimeGANConfig, inputs: int, outputs: int, layers: int, *, squash: bool = True) -> None:
        super().__init__()
        self.squash = squash
        self.embed = nn.Embedding(config.classes, LABEL_DIM) if config.classes > 1 else None
        cell = nn.GRU if config.cell == "gru" else nn.LSTM
        self.rnn = cell(inputs + LABEL_DIM * (config.classes > 1), config.hidden, layers, batch_first=True)
        self.head = nn.Linear(config.hidden, outputs)
        initialise(self)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        if self.embed is not None:
            x = torch.cat([x, self.embed(label).unsqueeze(1).expand(-1, x.shape[1], -1)], dim=2)
        states, _ = self.rnn(x)
        y: Tensor = self.head(states)
        return torch.sigmoid(y) if self.squash else y


def initialise(net: Recurrent) -> None:
    """Weights with which the input reaches the last layer; with torch's own start, and TensorFlow's, it fades.

    Embedder and recovery are six layers and two read-outs in a row. Begun too small, they give the mean of the data
    for thousands of updates. A sigmoid's slope is a quarter at most, for which the read-out's gain makes up.
    """
    for name, parameter in net.rnn.named_parameters():
        for gate in parameter.detach().split(net.rnn.hidden_size):
            if "weight_ih" in name:
                nn.init.xavier_uniform_(gate, gain=INPUT_GAIN)
            elif "weight_hh" in name:
                nn.init.orthogonal_(gate)
            else:
                nn.init.zeros_(gate)
    nn.init.xavier_uniform_(net.head.weight, gain=SQUASHED_GAIN if net.squash else 1.0)
    nn.init.zeros_(net.head.bias)


class TimeGANGenerator(WindowGenerator):
    """Uniform noise to a window: generator, supervisor and recovery, all that sampling needs.

    forward: z (n, latent_steps, noise) in (0, 1), label (n,) int64
        -> early and fake codes, both (n, latent_steps, hidden) in (0, 1), before and after the supervisor
    from_uniform: uniform (n, noise_dim) in (0, 1), label (n,) int64
        -> (n, features), scaled to [0, 1]: time first, then channel
    """

    config: TimeGANConfig

    def __init__(self, config: TimeGANConfig) -> None:
        super().__init__()
        self.config = config
        hidden, layers = config.hidden, config.layers
        self.generator = Recurrent(config, config.noise, hidden, layers)
        self.supervisor = Recurrent(config, hidden, hidden, max(1, layers - 1))
        self.recovery = Recurrent(config, hidden, config.frame * config.channels, layers)

    def forward(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        early = self.generate(z, label)
        return early, self.supervise(early, label)

    def generate(self, z: Tensor, label: Tensor) -> Tensor:
        """Noise (n, latent_steps, noise) -> codes (n, latent_steps, hidden) before the supervisor."""
        codes: Tensor = self.generator(z, label)
        return codes

    def supervise(self, code: Tensor, label: Tensor) -> Tensor:
        """Codes -> the code that follows each, both (n, latent_steps, hidden)."""
        following: Tensor = self.supervisor(code, label)
        return following

    def recover(self, code: Tensor, label: Tensor) -> Tensor:
        """Codes (n, latent_steps, hidden) -> windows (n, features)."""
        frames: Tensor = self.recovery(code, label)
        return frames.flatten(1)

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        _, fake = self(uniform.unflatten(1, (self.config.latent_steps, self.config.noise)), label)
        return self.recover(fake, label)


@dataclass(frozen=True, slots=True)
class Latents:
    """Codes of one batch, each (n, latent_steps, hidden): real, fake, and fake before the supervisor."""

    real: Tensor
    fake: Tensor
    early: Tensor


@dataclass(frozen=True, slots=True)
class Nets:
    """What is trained, each group of networks with its optimiser."""

    generator: TimeGANGenerator
    embedder: Recurrent
    discriminator: Recurrent
    autoencoder_optimizer: torch.optim.Optimizer  # of embedder and recovery
    generator_optimizer: torch.optim.Optimizer  # of generator and supervisor
    discriminator_optimizer: torch.optim.Optimizer

    def embed(self, x: Tensor, label: Tensor) -> Tensor:
        """Windows (n, features) -> codes (n, latent_steps, hidden) in (0, 1)."""
        frames = x.unflatten(1, (self.generator.config.latent_steps, -1))
        codes: Tensor = self.embedder(frames, label)
        return codes


# ---- losses


def reconstruction_loss(x: Tensor, recovered: Tensor) -> Tensor:
    """L_R, equation 7: how far windows are from what comes back from their codes.

    Differs from the paper: a mean of squares, as in the authors' code, not of norms; so do the other distances.
    """
    return functional.mse_loss(recovered, x)


def supervised_loss(code: Tensor, following: Tensor) -> Tensor:
    """L_S, equation 9: how far each real code is from what the supervisor says after those before it.

    Differs from the paper: the generator's noise has no part in it; a network of its own, the supervisor, makes each
    next code from those before, as in the authors' code.
    """
    return functional.mse_loss(following[:, :-1], code[:, 1:])


def discriminator_loss(real: Tensor, fake: Tensor, early: Tensor) -> Tensor:
    """L_U, equation 8, as the discriminator goes down it: logits at each step, of any shape.

    Differs from the paper: codes before the supervisor are judged as well, as in the authors' code.
    """
    softplus = functional.softplus  # -ln(sigmoid(-a)); with -a for a, -ln(sigmoid(a))
    return softplus(-real).mean() + softplus(fake).mean() + EARLY_WEIGHT * softplus(early).mean()


def adversarial_loss(fake: Tensor, early: Tensor) -> Tensor:
    """L_U, equation 8, as the generator goes down it.

    Differs from the paper: -ln(y) for ln(1 - y), which has a slope also where the discriminator is sure.
    """
    return functional.softplus(-fake).mean() + EARLY_WEIGHT * functional.softplus(-early).mean()


def moments_loss(x: Tensor, made: Tensor) -> Tensor:
    """How far means and standard deviations over the batch are apart, for each number of a window (n, features).

    Differs from the paper, which does not have it: it is in the authors' code only.
    """
    spread, made_spread = (torch.sqrt(batch.var(dim=0, correction=0) + 1e-6) for batch in (x, made))
    return (made_spread - spread).abs().mean() + (made.mean(dim=0) - x.mean(dim=0)).abs().mean()


def embedding_objective(reconstruction: Tensor, supervised: Tensor) -> Tensor:
    """Equation 10, with the weights of the authors' code."""
    return RECONSTRUCTION_WEIGHT * torch.sqrt(reconstruction + SAFE) + EMBEDDING_SUPERVISED_WEIGHT * supervised


def generator_objective(adversarial: Tensor, supervised: Tensor, moments: Tensor) -> Tensor:
    """Equation 11, with the weights of the authors' code, and its loss of moments."""
    return adversarial + GENERATOR_SUPERVISED_WEIGHT * torch.sqrt(supervised + SAFE) + MOMENTS_WEIGHT * moments


# ---- steps: x (n, features), label (n,), z (n, latent_steps, noise)


def embedding_step(nets: Nets, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """First phase: one update of embedder and recovery by the reconstruction alone."""
    loss = reconstruction_loss(x, nets.generator.recover(nets.embed(x, label), label))
    nets.autoencoder_optimizer.zero_grad(set_to_none=True)
    embedding_objective(loss, loss.new_zeros(())).backward()
    nets.autoencoder_optimizer.step()
    return {"reconstruction": loss.detach()}


def supervisor_step(nets: Nets, x: Tensor, label: Tensor) -> dict[str, Tensor]:
    """Second phase: one update of the supervisor on real codes; the embedder is only read."""
    with torch.no_grad():
        code = nets.embed(x, label)
    loss = supervised_loss(code, nets.generator.supervise(code, label))
    nets.generator_optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nets.generator_optimizer.step()
    return {"supervised": loss.detach()}


def generator_step(nets: Nets, x: Tensor, label: Tensor, z: Tensor) -> tuple[dict[str, Tensor], Latents]:
    """Third phase: one update of generator and supervisor, equation 11, and one of embedder and recovery, equation 10.

    The discriminator is only read; the codes come back for its own update.

    Differs from the paper: both updates are taken at the same weights, from one forward pass of each network.
    """
    generator = nets.generator
    code = nets.embed(x, label)
    reconstruction = reconstruction_loss(x, generator.recover(code, label))
    early = generator.generate(z, label)
    cut = code.detach().requires_grad_()  # here the two objectives part
    following, fake = generator.supervise(torch.cat([cut, early]), torch.cat([label, label])).chunk(2)
    supervised = supervised_loss(cut, following)

    nets.discriminator.requires_grad_(False)
    generator.recovery.requires_grad_(False)
    adversarial = adversarial_loss(*nets.discriminator(torch.cat([fake, early]), torch.cat([label, label])).chunk(2))
    moments = moments_loss(x, generator.recover(fake, label))
    nets.discriminator.requires_grad_(True)
    generator.recovery.requires_grad_(True)

    nets.generator_optimizer.zero_grad(set_to_none=True)
    generator_objective(adversarial, supervised, moments).backward()
    nets.generator_optimizer.step()

    # At the cut lies the slope of L_S as equation 11 weighs it, beneath a root; equation 10 has its own weight.
    share = EMBEDDING_SUPERVISED_WEIGHT * 2 * torch.sqrt(supervised.detach() + SAFE) / GENERATOR_SUPERVISED_WEIGHT
    nets.autoencoder_optimizer.zero_grad(set_to_none=True)
    objective = embedding_objective(reconstruction, supervised.detach())
    slope = share * cut.grad  # type: ignore[operator]  # backward has just left it
    torch.autograd.backward([objective, code], [None, slope])
    nets.autoencoder_optimizer.step()
    losses = {
        "reconstruction": reconstruction,
        "supervised": supervised,
        "generator": adversarial,
        "moments": moments,
    }
    codes = Latents(code.detach(), fake.detach(), early.detach())
    return {name: loss.detach() for name, loss in losses.items()}, codes


def discriminator_step(nets: Nets, codes: Latents, label: Tensor) -> dict[str, Tensor]:
    """Third phase: one update of the discriminator, unless it is far ahead; nothing else is read.

    Differs from the paper: it rests while its loss is at most GATE, as in the authors' code.
    """
    logits = nets.discriminator(torch.cat([codes.real, codes.fake, codes.early]), label.repeat(3))
    loss = discriminator_loss(*logits.chunk(3))
    if loss > GATE:
        nets.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nets.discriminator_optimizer.step()
    return {"discriminator": loss.detach()}
