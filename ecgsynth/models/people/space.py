"""A public space for windows: the same for all data of a form, so that it tells nothing of anybody."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ecgsynth.core.files import write_json
from ecgsynth.core.records import to_json
from ecgsynth.errors import DataError, require
from ecgsynth.models.marginals import MarginalTransform
from ecgsynth.models.scaling import log_intervals, read_space

__all__ = ["CosineSpace"]

LOST_SHARE = 1e-4  # of the samples' squares, that slower cosines may leave out
ROUNDED_TO = 8  # cosines: their number is of nobody's windows alone
USUAL_LN_S = -0.25  # ln of a usual RR interval, 0.78 s, which stands for a missing one
INTERVAL_SCALE = 0.25  # of ln(seconds), in which they are features


@dataclass(frozen=True, slots=True, kw_only=True)
class CosineSpace:
    """Windows in physical units <-> features: the slowest cosines of each channel, then ln of RR intervals.

    Parameters
    ----------
    time, channels
        Of a window.
    cosines
        How many of each channel.
    intervals
        RR intervals: 2, or 0 where windows have none.

    References
    ----------
    The discrete cosine transform of type II, orthonormal: Ahmed, Natarajan and Rao, "Discrete Cosine Transform", 1974.

    """

    time: int
    channels: int
    cosines: int
    intervals: int

    @classmethod
    def fit(
        cls, values: NDArray[np.float32], rr_s: NDArray[np.float32] | None = None, *, components: int | None = None
    ) -> Self:
        """As many cosines as it takes to lose no more than LOST_SHARE, rounded up.

        Parameters
        ----------
        values
            (n, time, channels) in physical units.
        rr_s
            (n, 2) seconds or None; where no window has one, there are no intervals.
        components
            How many features of the shape, by hand: cosines times channels.

        Raises
        ------
        DataError
            For more components than a window has samples.

        """
        _, time, channels = values.shape
        if components is not None and not channels <= components <= time * channels:
            raise DataError(
                f"windows of {time} x {channels} numbers have {channels} to {time * channels} components, got "
                f"{components}"
            )
        intervals = 2 if rr_s is not None and np.isfinite(rr_s).any(axis=0).all() else 0
        if components is not None:
            return cls(time=time, channels=channels, cosines=components // channels, intervals=intervals)
        energy = np.square(cosines_of(values), dtype=np.float64).sum(axis=(0, 2))
        enough = int(np.searchsorted(np.cumsum(energy), (1 - LOST_SHARE) * energy.sum())) + 1
        cosines = min(time, -(-enough // ROUNDED_TO) * ROUNDED_TO)
        return cls(time=time, channels=channels, cosines=cosines, intervals=intervals)

    @property
    def shape(self) -> int:
        """How many features are of the shape."""
        return self.cosines * self.channels

    @property
    def interval_means(self) -> NDArray[np.float64]:
        """(intervals,) what is added to features that are intervals."""
        return np.full(self.intervals, USUAL_LN_S)

    @property
    def marginals(self) -> MarginalTransform:
        """No channel is transformed."""
        return MarginalTransform.none(self.channels)

    @property
    def columns(self) -> None:
        """Signals have none."""

    def transform(
        self,
        values: NDArray[np.float32],
        rr_s: NDArray[np.float32] | None = None,
        start_s: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """(n, time, channels) in physical units and (n, 2) seconds -> (n, features); a missing interval is usual."""
        found = cosines_of(values)[:, : self.cosines].reshape(len(values), -1)
        if self.intervals:
            if rr_s is None:
                raise DataError("expected windows with RR intervals, as in training, got none; prepare them again")
            logs = (log_intervals(rr_s) - USUAL_LN_S) / INTERVAL_SCALE
            found = np.hstack([found, np.nan_to_num(logs, nan=0.0)])
        return found.astype(np.float32)

    def samples(self) -> NDArray[np.float32]:
        """(shape, time * channels) orthonormal rows: from features of a shape to samples."""
        unit = np.eye(self.shape, dtype=np.float32).reshape(-1, self.cosines, self.channels)
        padded = np.zeros((self.shape, self.time, self.channels), dtype=np.float32)
        padded[:, : self.cosines] = unit
        inverse = require("scipy.fft", "the space of windows").idct(padded, norm="ortho", axis=1)
        return np.asarray(inverse.reshape(self.shape, -1), dtype=np.float32)

    def basis(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The way back: a matrix (features, time * channels + intervals), and what is added to the product."""
        size = self.time * self.channels
        matrix = np.zeros((self.shape + self.intervals, size + self.intervals), dtype=np.float32)
        matrix[: self.shape, :size] = self.samples()
        matrix[self.shape :, size:] = INTERVAL_SCALE * np.eye(self.intervals)
        return matrix, np.concatenate([np.zeros(size), self.interval_means]).astype(np.float32)

    def save(self, path: Path) -> None:
        """Write scaler.json."""
        write_json(path, to_json(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read scaler.json; ArtifactError if it is not one."""
        return read_space(cls, path)


def cosines_of(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, time, channels) -> (n, time, channels) coefficients, the slowest cosine first."""
    transform = require("scipy.fft", "the space of windows").dct
    return np.asarray(transform(values, norm="ortho", axis=1), dtype=np.float32)
