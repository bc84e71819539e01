"""The imputer of tables as its users hold it: fit, load, save, impute."""

from typing import Any, Self

import torch

from .models.gain import GainGenerator
from .models.gain_space import GainSpace
from .models.registry import VALUES
from .schema.schema import Schema
from .training.fit_gain import filled
from .training.info import About
from .training.table_model import TableModel

__all__ = ["Imputer"]


class Imputer(TableModel):
    """A trained GAIN, the schema of its table, and the scales of its columns."""

    makes = VALUES

    def __init__(self, schema: Schema, space: GainSpace, generator: GainGenerator, about: About) -> None:
        self.schema, self.about = schema, about
        self._space, self._generator = space, generator.eval()

    @classmethod
    def of(cls, schema: Schema, space: Any, generator: Any, about: About) -> Self:
        """The imputer of these parts."""
        return cls(schema, space, generator, about)

    @property
    def space(self) -> GainSpace:
        """The scales of the columns."""
        return self._space

    @property
    def generator(self) -> GainGenerator:
        """The network that fills holes."""
        return self._generator

    def impute(self, frame: Any, seed: int = 0) -> Any:
        """The rows of a data frame with their holes filled; what is there, and every other column, stays as it is.

        A value that the schema does not allow is left alone, and is treated as missing while the holes beside it are
        filled.

        Parameters
        ----------
        frame
            The data frame.
        seed
            Of the noise from which the holes are filled.

        Raises
        ------
        DataError
            For a table that lacks a column of the schema.

        """
        arrays = self.schema.arrays(frame, strict=False)
        rows, known = (torch.from_numpy(part) for part in self.space.encode(arrays))
        whole = self.schema.frame(self.space.completed(arrays, filled(self.generator, rows, known, seed).numpy()))
        made = frame.copy()
        names = {str(name): name for name in frame.columns}
        for name in whole.columns:
            column = made[names[name]]
            holes = column.isna().to_numpy()
            if holes.any():
                values = whole[name].set_axis(made.index)
                made[names[name]] = (
                    values if holes.all() else column.astype(object).where(~holes, values).infer_objects()
                )
        return made
