"""Principal components of whole windows, and RR intervals: the compact space in which generators are trained.

A heartbeat of 256 samples at 40 Hz bandwidth has some 70 degrees of freedom. In the space of its principal
components, scaled so that weak ones still count, adversarial training is both cheap and stable.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.errors import ArtifactError, DataError
from ecgsynth.files import read_json, write_json

__all__ = ["RR_RANGE_S", "PrincipalScaler"]

POWER = 0.7  # components are divided by their standard deviation to this power; 1 would be whitening
LOST = 1e-5  # share of the variance that may be left out: what is left out gives a synthetic window away
MOST = 192  # components, where that is not enough
RR_RANGE_S = (0.2, 3.0)  # 300 to 20 beats a minute; what lies beyond is a gap, and is taken as the nearer end


@dataclass(frozen=True, slots=True, kw_only=True)
class PrincipalScaler:
    """Windows in physical units, and RR intervals where there are any <-> features: scaled principal components of the
    window, then scaled logarithms of the intervals.

    mean: (time * channels,), in physical units
    axes: (components, time * channels), rows orthonormal
    scales: (components,), what each component is divided by
    interval_means, interval_scales: (intervals,), mean and standard deviation of ln(seconds); intervals is 2 or 0
    """

    time: int
    channels: int
    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    scales: NDArray[np.float64]
    interval_means: NDArray[np.float64]
    interval_scales: NDArray[np.float64]
    kept: float  # share of the training windows' variance in these components

    @classmethod
    def fit(
        cls, values: NDArray[np.float32], rr_s: NDArray[np.float32] | None = None, *, components: int | None = None
    ) -> Self:
        """The leading components of windows (n, time, channels); without a number, all but LOST of the variance.

        rr_s: (n, 2) or None; NaN where there is no neighbour. Where nothing has one, there are no intervals.
        Raises DataError if there are fewer windows than components, or they do not vary that much.
        """
        n, time, channels = values.shape
        if components is not None and components > time * channels:
            raise DataError(f"windows of {time} x {channels} numbers have no {components} components; ask for fewer")
        if n <= (components or 1):
            raise DataError(f"{components or 1} components need more than that many training windows, got {n}")
        flat = values.reshape(n, time * channels).astype(np.float64)
        mean = flat.mean(axis=0)
        variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(flat, rowvar=False)))
        variance, axes = np.maximum(variance[::-1], 0), axes[:, ::-1].T
        if components is None:
            enough = int(np.searchsorted(np.cumsum(variance), (1 - LOST) * variance.sum())) + 1
            components = min(enough, MOST, n - 1)
        if variance[components - 1] <= 1e-12 * variance[0]:
            raise DataError(f"the training windows vary in fewer than {components} ways; ask for fewer components")
        logs = np.empty((n, 0))
        if rr_s is not None and np.isfinite(rr_s).any(axis=0).all():
            logs = log_intervals(rr_s)
        return cls(
            time=time,
            channels=channels,
            mean=mean,
            axes=axes[:components],
            scales=np.sqrt(variance[:components]) ** POWER,
            interval_means=np.nanmean(logs, axis=0),
            interval_scales=np.maximum(np.nanstd(logs, axis=0), 1e-3),
            kept=float(variance[:components].sum() / variance.sum()),
        )

    def transform(self, values: NDArray[np.float32], rr_s: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """(n, time, channels) in physical units and (n, 2) seconds -> (n, features); a missing interval is the mean."""
        flat = values.reshape(len(values), -1) - self.mean
        scaled = flat @ self.axes.T / self.scales
        if len(self.interval_means):
            if rr_s is None:
                raise DataError("expected windows with RR intervals, as in training, got none; prepare them again")
            logs = (log_intervals(rr_s) - self.interval_means) / self.interval_scales
            scaled = np.hstack([scaled, np.nan_to_num(logs, nan=0.0)])
        return scaled.astype(np.float32)

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back as a matrix (features, time * channels + intervals) and what is added to its product.

        Windows come out in physical units, intervals as ln(seconds).
        """
        k, size = self.axes.shape
        matrix = np.zeros((k + len(self.interval_means), size + len(self.interval_means)))
        matrix[:k, :size] = self.scales[:, None] * self.axes
        matrix[k:, size:] = np.diag(self.interval_scales)
        return matrix.astype(np.float32), np.concatenate([self.mean, self.interval_means]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(
            path,
            {
                name: value.tolist() if isinstance(value := getattr(self, name), np.ndarray) else value
                for name in self.__slots__
            },
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        content: dict[str, Any] = read_json(path)
        try:
            for name in ("mean", "scales", "axes", "interval_means", "interval_scales"):
                content[name] = np.asarray(content[name], dtype=np.float64)
            return cls(**content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"{path} is not a scaler of this version ({error}); train again") from error


def log_intervals(rr_s: NDArray[np.float32]) -> NDArray[np.float64]:
    """ln(seconds) of RR intervals (n, 2), NaN where there is none."""
    return np.log(np.clip(rr_s.astype(np.float64), *RR_RANGE_S))
