"""Principal components of whole windows: the compact space in which generators are trained.

A heartbeat of 256 samples at 40 Hz bandwidth has a few dozen degrees of freedom. In the space of its
principal components, scaled so that weak ones still count, adversarial training is both cheap and stable.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.files import read_json, write_json

__all__ = ["PrincipalScaler"]

POWER = 0.7  # components are divided by their standard deviation to this power; 1 would be whitening


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalScaler:
    """Windows in physical units <-> scaled principal components.

    mean: (time * channels,), in physical units
    axes: (components, time * channels), rows orthonormal
    scales: (components,), what each component is divided by
    """

    time: int
    channels: int
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    scales: NDArray[np.float64]
    kept: float  # share of the training windows' variance in these components

    @classmethod
    def fit(cls, values: NDArray[np.float32], components: int) -> Self:
        """The leading components of windows (n, time, channels).

        Raises DataError if there are fewer windows than components, or they do not vary that much.
        """
        n, time, channels = values.shape
        if components > time * channels:
            raise DataError(f"windows of {time} x {channels} numbers have no {components} components; ask for fewer")
        if n <= components:
            raise DataError(f"{components} components need more than {components} training windows, got {n}")
        flat = values.reshape(n, time * channels).astype(np.float64)
        mean = flat.mean(axis=0)
        variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(flat, rowvar=False)))
        variance, axes = variance[::-1], axes[:, ::-1].T
        if variance[components - 1] <= 1e-12 * variance[0]:
            raise DataError(f"the training windows vary in fewer than {components} ways; ask for fewer components")
        scales = np.sqrt(variance[:components]) ** POWER
        kept = float(variance[:components].sum() / variance.sum())
        return cls(time=time, channels=channels, mean=mean, axes=axes[:components], scales=scales, kept=kept)

    def transform(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, time, channels) in physical units -> (n, components)."""
        flat = values.reshape(len(values), -1) - self.mean
        return (flat @ self.axes.T / self.scales).astype(np.float32)

    def inverse(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, components) -> (n, time, channels) in physical units."""
        flat = (scaled * self.scales) @ self.axes + self.mean
        return flat.reshape(len(scaled), self.time, self.channels).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(
            path,
            {
                "time": self.time,
                "channels": self.channels,
                "kept": self.kept,
                "mean": self.mean.tolist(),
                "scales": self.scales.tolist(),
                "axes": self.axes.tolist(),
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        content: dict[str, Any] = read_json(path)
        try:
            for name in ("mean", "scales", "axes"):
                content[name] = np.asarray(content[name], dtype=np.float64)
            return cls(**content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{path} is not a scaler of this version ({error}); train again") from error
