"""The generator and the critic of adversarial models of tables, for every objective.

A row is all positions first, (n, positions), then all one-hots, (n, codes). Blocks, activations, packing and the
condition are those of Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, "Modeling tabular data using conditional
GAN", NeurIPS 2019, section 4; packing is from Lin, Khetan, Fanti and Oh, "PacGAN", NeurIPS 2018.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.models.wgan import box_muller

from .config import GANConfig
from .objectives import OBJECTIVES

__all__ = ["Critic", "JointGenerator", "Segments"]

BEGINNING = 0.1  # scale of the last layer's weights when training begins
SMALLEST = 1e-30  # of the uniform numbers, so that their logarithm is finite
RAREST = 1e-6  # share that a code is taken to have at least
CERTAIN = 1 - 1e-6  # a cumulative share above it is 1, so that no draw passes the last code that occurs


class Layer(nn.Module):
    """A linear layer over several inputs side by side, without putting them there: a matrix for each.

    The last of them may be the one-hots of a condition, as such or as the places of their ones, which is faster.

    forward: inputs (n, widths[i]) each; condition (n, condition) float one-hots, or int64 (n,) or
        (n, ones), the places of their ones -> (n, size)
    """

    def __init__(self, widths: list[int], size: int, condition: int = 0) -> None:
        super().__init__()
        bound = (sum(widths) + condition) ** -0.5  # as in nn.Linear
        self.weights = nn.ParameterList([torch.empty(size, width).uniform_(-bound, bound) for width in widths])
        telling = torch.empty(condition, size).uniform_(-bound, bound) if condition else None
        self.telling = None if telling is None else nn.Parameter(telling)  # files have it by this name
        self.bias = nn.Parameter(torch.empty(size).uniform_(-bound, bound))

    def forward(self, inputs: list[Tensor], condition: Tensor) -> Tensor:
        made = nn.functional.linear(inputs[0], self.weights[0], self.bias)
        for x, weight in zip(inputs[1:], list(self.weights)[1:], strict=True):
            made = made.addmm_(x, weight.T)
        return made if self.telling is None else made.add_(self.conditioned(condition))

    def conditioned(self, condition: Tensor) -> Tensor:
        """What the condition adds to the outputs: (n, size)."""
        if condition.is_floating_point():
            return torch.mm(condition, self.telling)  # type: ignore[arg-type]
        rows = nn.functional.embedding(condition, self.telling)  # type: ignore[arg-type]
        return rows if condition.dim() == 1 else rows.sum(dim=1)


class JointGenerator(nn.Module):
    """Noise and a condition to a row, all columns at once.

    Differs from the paper: training begins at the training shares of the codes, each column by itself.

    forward: z (n, normals), standard normal; condition (n, condition_width), one-hots of what is asked for, or (n,)
        int64, their places
        -> positions (n, positions) in (-1, 1), logits (n, codes)
    draw: uniform (n, noise_dim) in (0, 1), asked (n, columns) int64, -1 where not -> codes, positions (n, columns);
        what is asked for, or by its share where nothing is, is what comes back
    """

    logs: Tensor
    cumulative: Tensor
    answer_places: Tensor

    def __init__(self, config: GANConfig, shares: list[NDArray[np.float64]]) -> None:
        super().__init__()
        self.config = config
        self.noise_dim = config.noise_dim
        widths = [config.normals]
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        for size in config.generator_sizes:
            self.layers.append(Layer(widths, size, config.condition_width))
            self.norms.append(nn.BatchNorm1d(size) if config.normalise else nn.Identity())
            widths.append(size)
        self.head = Layer(widths, config.width, config.condition_width)
        with torch.no_grad():
            for weight in self.head.parameters():
                weight.mul_(BEGINNING)
            self.head.bias.zero_()
            logs = np.log(np.maximum(np.concatenate(shares), RAREST))
            self.head.bias[len(config.places) :] = torch.from_numpy(logs)
        self.register_buffer("cumulative", torch.from_numpy(summed([shares[place] for place in config.answers])))
        self.register_buffer("answer_places", torch.tensor(config.answers, dtype=torch.int64))
        self.segments = Segments(config.sizes)

    @property
    def answers(self) -> list[int]:
        """The columns that may be asked for."""
        return list(self.config.answers)

    def forward(self, z: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        known = [z]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            known.append(torch.relu(norm(layer(known, condition))))
        made = self.head(known, condition)
        positions = len(self.config.places)
        return torch.tanh(made[:, :positions]), made[:, positions:]

    def rows(self, z: Tensor, condition: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """What the critic sees in training, (n, width), by the Gumbel softmax; and the logits (n, codes).

        Xu et al. 2019, section 4.3; Jang, Gu and Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
        equation 2. The one-hot of a label that is the condition is put in as it is.
        """
        positions, logits = self(z, condition)
        noise = torch.rand(logits.shape, generator=rng, device=logits.device).clamp_(min=SMALLEST)
        soft = self.segments((logits - noise.log_().neg_().log_()) / self.config.temperature)
        if self.config.label is not None:
            first = self.config.firsts[self.config.label]
            own = nn.functional.one_hot(condition, self.config.condition_width).to(soft.dtype)
            soft = torch.cat([soft[:, :first], own, soft[:, first + self.config.condition_width :]], dim=1)
        return torch.cat([positions, soft], dim=1), logits

    def draw(self, uniform: Tensor, asked: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config
        paired = config.normals + config.normals % 2
        normals = box_muller(uniform[:, :paired])[:, : config.normals]
        picks = uniform[:, paired:]  # (n, columns + 2): a code's each, then a column's and a category's
        wanted = self.completed(asked, picks[:, len(config.sizes) :])
        inner, logits = self(normals, self.one_hots(wanted))
        codes: list[Tensor] = []
        for place, (first, size) in enumerate(zip(config.firsts, config.sizes, strict=True)):
            made = inverse_cdf(logits[:, first : first + size], picks[:, place : place + 1])
            if place in config.answers:
                made = torch.where(wanted[:, place] >= 0, wanted[:, place], made)
            codes.append(made)
        nothing = torch.zeros_like(uniform[:, 0])
        order = {place: inner[:, number] for number, place in enumerate(config.places)}
        return torch.stack(codes, 1), torch.stack([order.get(place, nothing) for place in range(len(codes))], 1)

    def completed(self, asked: Tensor, picks: Tensor) -> Tensor:
        """What is asked for (n, columns), and where nothing is, one column and its code by two uniforms (n, 2)."""
        answers = self.config.answers
        if not answers:
            return asked
        column = (picks[:, 0] * len(answers)).long().clamp(max=len(answers) - 1)
        code = (picks[:, 1:] >= self.cumulative[column]).sum(dim=1)
        free = (asked.index_select(1, self.answer_places) < 0).all(dim=1)
        places = torch.arange(asked.shape[1], device=asked.device)
        own = free[:, None] & (self.answer_places[column][:, None] == places)
        return torch.where(own, code[:, None], asked)

    def one_hots(self, wanted: Tensor) -> Tensor:
        """(n, columns) codes, -1 where nothing is asked -> (n, condition_width)."""
        parts = [
            (wanted[:, place : place + 1] == torch.arange(self.config.sizes[place], device=wanted.device)).float()
            for place in self.config.answers
        ]
        return torch.cat(parts, 1) if parts else wanted[:, :0].float()


class Critic(nn.Module):
    """Packed rows and their condition to a score, or to the features that the objective asks for.

    forward: packs (k * m, pack * width); condition (m, pack) int64, the same for each of the k parts, not read where
        there is none
        -> (k * m,), or (k * m, features); with ``rng`` units are dropped at random
    """

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.config = config
        wide = config.condition_width if config.condition == "sampled" else 0  # a label stands in the row already
        self.first = Layer([config.pack * config.width], config.critic_sizes[0], config.pack * wide)
        sizes = config.critic_sizes
        self.layers = nn.ModuleList([nn.Linear(*pair) for pair in zip(sizes[:-1], sizes[1:], strict=True)])
        self.features = OBJECTIVES[config.objective].features
        self.head = nn.Linear(sizes[-1], config.critic_features if self.features else 1)

    def forward(self, packs: Tensor, condition: Tensor, rng: torch.Generator | None = None) -> Tensor:
        h = self.activated(self.entered(packs, condition), rng)
        for layer in self.layers:
            h = self.activated(layer(h), rng)
        score: Tensor = self.head(h)
        return score if self.features else score.squeeze(1)

    def entered(self, packs: Tensor, condition: Tensor) -> Tensor:
        """What the first layer makes; the condition is looked up once for all parts."""
        made = nn.functional.linear(packs, self.first.weights[0], self.first.bias)
        if self.first.telling is None:
            return made
        parts: Tensor = made.unflatten(0, (-1, len(condition)))
        return (parts + self.first.conditioned(condition)).flatten(0, 1)

    def activated(self, h: Tensor, rng: torch.Generator | None) -> Tensor:
        h = nn.functional.leaky_relu(h, self.config.leak)
        return h * self.dropout_mask(h.shape, rng) if self.config.critic_dropout and rng is not None else h

    def dropout_mask(self, shape: torch.Size, rng: torch.Generator) -> Tensor:
        """The factors of a layer's units: 0 where they are dropped, and more than 1 elsewhere."""
        dropout = self.config.critic_dropout
        return (torch.rand(shape, generator=rng, device=rng.device) >= dropout).float() * (1 / (1 - dropout))

    def slope(self, packs: Tensor, condition: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """The gradient of the score by the packs, (m, pack * width), a function of the weights to be derived itself.

        The score is linear around every input, so that no derivative passes through which units are active: this
        takes a third of the time of autograd's double backward, and gives the same.
        """
        slopes: list[Tensor] = []
        with torch.no_grad():
            h = self.entered(packs, condition)
            for layer in [*self.layers, None]:
                active = (h > 0).to(h.dtype) * (1 - self.config.leak) + self.config.leak
                if self.config.critic_dropout and rng is not None:
                    active = active * self.dropout_mask(h.shape, rng)
                slopes.append(active)
                h = h if layer is None else layer(h * active)
        slope: Tensor = self.head.weight  # (1, size)
        weights = [self.first.weights[0], *(layer.weight for layer in self.layers)]
        for weight, active in zip(reversed(weights), reversed(slopes), strict=True):
            slope = (slope * active) @ weight
        return slope

    def packed(self, rows: Tensor) -> Tensor:
        """(n, inputs) -> (n / pack, pack * inputs), rows side by side."""
        pack = self.config.pack
        return rows.reshape(len(rows) // pack, pack * rows.shape[1])

    def packed_condition(self, places: Tensor) -> Tensor:
        """(n,) places of each row's condition -> (n / pack, pack), in the one-hots of a pack."""
        pack = self.config.pack
        return places.reshape(-1, pack) + self.config.condition_width * torch.arange(pack, device=places.device)


def inverse_cdf(logits: Tensor, uniform: Tensor) -> Tensor:
    """(n, codes) and uniforms (n, 1) -> (n,) codes drawn by softmax(logits)."""
    weights = torch.exp(logits - logits.max(dim=1, keepdim=True).values)
    upto = weights.cumsum(dim=1)
    return (upto[:, :-1] <= uniform * upto[:, -1:]).sum(dim=1)


def summed(shares: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    """Cumulative shares (columns, most codes), 1 from the last code that occurs on."""
    table = np.ones((len(shares), max(map(len, shares), default=1)))
    for place, share in enumerate(shares):
        upto = np.cumsum(share) / np.sum(share)
        table[place, : len(share)] = np.where(upto > CERTAIN, 1.0, upto)
    return table.astype(np.float32)


class Segments(nn.Module):
    """Softmax within each column's codes, all columns at once.

    forward: (n, codes) -> (n, codes), of each column summing to 1
    """

    owner: Tensor
    lengths: Tensor
    inside: Tensor

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        lengths = torch.tensor(sizes)
        owner = torch.repeat_interleave(torch.arange(len(sizes)), lengths)
        self.register_buffer("lengths", lengths, persistent=False)
        self.register_buffer("owner", owner, persistent=False)
        self.register_buffer("inside", nn.functional.one_hot(owner, len(sizes)).float(), persistent=False)

    def forward(self, scores: Tensor) -> Tensor:
        shares: Tensor = SegmentSoftmax.apply(scores, self.lengths, self.owner, self.inside)  # type: ignore[no-untyped-call]
        return shares


class SegmentSoftmax(torch.autograd.Function):
    """The softmax of Segments with its derivative, in as few passes over the numbers as possible."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, lengths: Tensor, owner: Tensor, inside: Tensor) -> Tensor:
        largest = torch.segment_reduce(scores.T.contiguous(), "max", lengths=lengths, axis=0)
        weights = (scores - largest.T.index_select(1, owner)).exp_()
        shares = weights.div_((weights @ inside).index_select(1, owner))
        ctx.save_for_backward(shares, owner, inside)
        return shares

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None, None]:
        shares, owner, inside = ctx.saved_tensors
        along = shares * slope
        return along.addcmul_(shares, (along @ inside).index_select(1, owner), value=-1), None, None, None
