"""Two small networks that say whether a window is real: a convolutional one, and a Transformer."""

import torch
from torch import Tensor, nn

__all__ = ["JudgeCNN", "JudgeTransformer"]

WIDTH = 64
DROPOUT = 0.2
KERNELS = (5, 3, 3)
HEADS, LAYERS = 4, 2
MOST_TOKENS = 16  # of a window; a longer one has several steps a token


class JudgeCNN(nn.Module):
    """Three convolutions, of which the later two halve the steps, and what is found anywhere in the window.

    forward: x (n, time, channels) -> logits (n, 2)
    """

    def __init__(self, time: int, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for place, kernel in enumerate(KERNELS):
            into, stride = (WIDTH, 2) if place else (channels, 1)
            layers += [
                nn.Conv1d(into, WIDTH, kernel, stride=stride, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(WIDTH),
                nn.ReLU(),
            ]
        self.features = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(2 * WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        found = self.features(x.mT)  # (n, width, time / 4)
        logits: Tensor = self.head(torch.cat([found.mean(dim=2), found.amax(dim=2)], dim=1))
        return logits


class JudgeTransformer(nn.Module):
    """An encoder over pieces of the window, with learnt places (Vaswani et al., "Attention Is All You Need", 2017;
    normalised first, Xiong et al., "On Layer Normalization in the Transformer Architecture", 2020).

    forward: x (n, time, channels) -> logits (n, 2)
    """

    def __init__(self, time: int, channels: int) -> None:
        super().__init__()
        self.steps = -(-time // MOST_TOKENS)  # of a token
        tokens = -(-time // self.steps)
        self.missing = tokens * self.steps - time  # steps, which the last token lacks
        self.into = nn.Linear(self.steps * channels, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(tokens, WIDTH))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(LAYERS)
        )
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Dropout(DROPOUT), nn.Linear(WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.pad(x, (0, 0, 0, self.missing))
        h = self.into(x.reshape(len(x), len(self.places), -1)) + self.places  # (n, tokens, width)
        for layer in self.layers:
            h = layer(h)
        logits: Tensor = self.head(h.mean(dim=1))
        return logits
