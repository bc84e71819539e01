"""Context-FID: the Frechet distance between sets of windows, in the features of an encoder of real ones.

Jeha et al., "PSA-GAN: Progressive Self Attention GANs for Synthetic Time Series", ICLR 2022, section 4.2. The encoder
is that of Yue et al., "TS2Vec: Towards Universal Representation of Time Series", AAAI 2022: dilated convolutions that
learn, without labels, to give a step the same features in whichever context it is seen.
"""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ecgsynth.metrics.progress import Step, Trainings
from ecgsynth.metrics.recurrent import scale_by

__all__ = ["UPDATES", "ContextEncoder", "ContextNetwork", "hierarchical_loss", "train_encoder"]

STAGE = "likeness"
UPDATES = 200
HIDDEN_UNITS, FEATURES = 64, 320  # as in TS2Vec, as the distance grows with the number of features
BATCH_WINDOWS = 8
RATE = 1e-3
MASKED_SHARE = 0.5  # of the steps, each time anew
DROPOUT = 0.1
LEAST_CROP_STEPS = 2
MOST_STEPS = 500_000  # of all windows of a set that are embedded
ENCODED_STEPS = 25_000  # at a time

Floats = NDArray[np.float32]


class Block(nn.Module):
    """Two convolutions over the same steps, added to what they read.

    forward: x (n, into, time) -> (n, out, time)
    """

    def __init__(self, into: int, out: int, dilation: int, kernel: int = 3) -> None:
        super().__init__()
        conv = partial(nn.Conv1d, kernel_size=kernel, dilation=dilation, padding=dilation * (kernel // 2))
        self.layers = nn.Sequential(nn.GELU(), conv(into, out), nn.GELU(), conv(out, out))
        self.past = nn.Identity() if into == out else nn.Conv1d(into, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.past(x) + self.layers(x)
        return y


class ContextEncoder(nn.Module):
    """Features of each step in its context, as in TS2Vec, section 3.1.

    Differs from the paper: there are as many dilations, from 1 up in powers of two, as a window has room for, instead
    of ten, and the last block is without context: further out, its convolutions would read nothing but padding.

    forward: x (n, time, channels), mask (n, time) True where a step is seen, or None
        -> (n, time, FEATURES)
    """

    def __init__(self, time: int, channels: int) -> None:
        super().__init__()
        self.into = nn.Linear(channels, HIDDEN_UNITS)
        depth = max(1, (time - 1).bit_length())
        blocks = [Block(HIDDEN_UNITS, HIDDEN_UNITS, 2**level) for level in range(depth)]
        self.blocks = nn.Sequential(*blocks, Block(HIDDEN_UNITS, FEATURES, 1, kernel=1), nn.Dropout(DROPOUT))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        h = self.into(x)
        if mask is not None:
            h = h * mask[..., None]
        y: Tensor = self.blocks(h.mT).mT
        return y


def hierarchical_loss(one: Tensor, other: Tensor) -> Tensor:
    """The loss of features (n, time, d) of the same steps in two contexts: TS2Vec, section 3.3, algorithm 1.

    At each scale, each of half as many steps as the one before, the mean of the temporal loss (equation 1: which of the
    window's steps is this one?) and the instance-wise one (equation 2: which of the windows is it, at this step?).
    """
    levels = []
    while True:
        of_windows = contrast(one.transpose(0, 1), other.transpose(0, 1))
        of_steps = contrast(one, other) if one.shape[1] > 1 else torch.zeros(())
        levels.append((of_windows + of_steps) / 2)
        if one.shape[1] == 1:
            return torch.stack(levels).mean()
        one, other = (nn.functional.max_pool1d(z.mT, 2).mT for z in (one, other))


def contrast(one: Tensor, other: Tensor) -> Tensor:
    """How hard it is to find the twin of each of k features (sets, k, d) among all 2 k of its set, itself left out."""
    k = one.shape[1]
    both = torch.cat([one, other], dim=1)
    alike = (both @ both.mT).masked_fill(torch.eye(2 * k, dtype=torch.bool, device=one.device), -torch.inf)
    twin = torch.arange(2 * k, device=one.device).roll(k)
    return nn.functional.cross_entropy(alike.flatten(0, 1), twin.repeat(len(both)))


def train_encoder(values: Floats, steps: int, seed: int, on_step: Step | None = None) -> ContextEncoder:
    """An encoder of windows (n, time, channels); the same for a seed on a CPU.

    Two crops that overlap are taken of the same windows, and the features of the steps that both have compared (TS2Vec,
    section 3.2). The weights are the mean of those after each update, as in the authors' code.

    Parameters
    ----------
    values
        Windows of at least two steps.
    steps
        Updates.
    seed
        Of weights, batches, crops and masks.
    on_step
        ``on_step(done, total, loss)`` is called after each update.

    """
    time, channels = values.shape[1:]
    x = torch.from_numpy(values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = ContextEncoder(time, channels)
        average = torch.optim.swa_utils.AveragedModel(net)
        optimizer = torch.optim.AdamW(net.parameters(), lr=RATE)
        for step in range(steps):
            batch = x[torch.randint(len(x), (min(BATCH_WINDOWS, len(x)),))]
            start, begin, end, stop = crops(time)
            one, other = (masked(net, batch[:, a:b]) for a, b in ((start, end), (begin, stop)))
            loss = hierarchical_loss(one[:, begin - start :], other[:, : end - begin])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            average.update_parameters(net)
            if on_step is not None:
                on_step(step + 1, steps, loss.item())
    net.load_state_dict(average.module.state_dict())
    return net.eval()


def masked(net: ContextEncoder, x: Tensor) -> Tensor:
    """The features of windows of which each step is hidden with MASKED_SHARE."""
    features: Tensor = net(x, torch.rand(x.shape[:2]) >= MASKED_SHARE)
    return features


def crops(time: int) -> tuple[int, int, int, int]:
    """Where one crop starts, the other begins, the one ends, and the other stops; what both have is begin to end."""

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, ()))

    common = draw(min(LEAST_CROP_STEPS, time), time)
    begin = draw(0, time - common)
    return draw(0, begin), begin, begin + common, draw(begin + common, time)


@dataclass(frozen=True, kw_only=True)
class ContextNetwork:
    """An encoder of real windows, scaled by channel to 0..1 as figures of the literature are. Trained when first used.

    Two comparisons share one.
    """

    learnt: Floats
    steps: int
    trainings: Trainings
    seed: int = 0

    @cached_property
    def net(self) -> ContextEncoder:
        """The trained encoder."""
        on_step = self.trainings.begin(STAGE, self.steps)
        return train_encoder(scale_by(self.learnt, self.learnt)[0], self.steps, self.seed, on_step)

    def features(self, values: Floats) -> Floats:
        """(k, FEATURES) the largest of each feature over the steps of windows (n, time, channels).

        k is n, or as many as MOST_STEPS allow, spread over the set.
        """
        time = values.shape[1]
        most = max(2, MOST_STEPS // time)
        (scaled,) = scale_by(self.learnt, values[:: max(1, -(-len(values) // most))])
        net = self.net  # trained before gradients are switched off
        with torch.inference_mode():
            pieces = torch.from_numpy(scaled).split(max(1, ENCODED_STEPS // time))
            return torch.cat([net(x).amax(dim=1) for x in pieces]).numpy()
