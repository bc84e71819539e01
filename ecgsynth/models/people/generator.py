"""A person drawn from a population, then a window of that person: a style, and the recurrent WGAN-GP around it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ecgsynth.errors import ConfigError
from ecgsynth.models.people.population import Population
from ecgsynth.models.wgan import FARTHEST_LOCAL, Generator, WGANConfig, box_muller

__all__ = ["PeopleConfig", "PeopleGenerator"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleConfig(WGANConfig):
    """A generator of people: what is made, how large its networks are, and how people differ."""

    styles: int  # normal numbers that one person is made from
    people_behind: int = 0  # the fewest behind any number of the population, rounded down
    largest_share: float = 1.0  # of a variance of the population, that one person has

    def __post_init__(self) -> None:
        WGANConfig.__post_init__(self)
        if self.styles < 1:
            raise ConfigError(f"styles must be at least 1, got {self.styles}")

    @property
    def person_dim(self) -> int:
        """Uniform numbers that one person is made from; they become normals, in pairs."""
        return self.styles + self.styles % 2


class PeopleGenerator(Generator):
    """A style and a class to the person's typical window; noise to what one window differs by from it.

    The style is linear: the typical window is ``centres + z @ axes``, and the ln of how much the person's windows vary
    ``z @ scale_axes`` more than the average person's. What a window differs by is made by the recurrent generator in
    local coordinates, the same for all people: those in which the windows of many people, each seen from his own
    typical window, are uncorrelated.

    forward: z (n, normals), standard normal; cluster (n,) int64, the class -> local (n, learnt)
    from_uniform: uniform (n, noise_dim), person (n, person_dim) in (0, 1); label (n,) int64 -> (n, features)
    """

    config: PeopleConfig
    axes: Tensor
    scale_axes: Tensor
    unmixing: Tensor

    def __init__(self, config: PeopleConfig) -> None:
        super().__init__(config)
        self.config = config
        self.register_buffer("axes", torch.zeros(config.styles, config.classes, config.features))
        self.register_buffer("scale_axes", torch.zeros(config.styles, config.classes, 2))
        self.register_buffer("unmixing", torch.eye(config.features))

    def from_uniform(self, uniform: Tensor, label: Tensor, person: Tensor | None = None) -> Tensor:
        if person is None:
            raise ConfigError("a generator of people needs the noise of a person beside that of a window")
        normals = box_muller(uniform[:, :-1])[:, : self.config.normals]
        style = box_muller(person)[:, : self.config.styles]
        local = self(normals, label).clamp(-FARTHEST_LOCAL, FARTHEST_LOCAL)
        away = (self.spreads[label] * local.sinh()) @ self.unmixing
        scales = self.of_style(style, self.scale_axes, label).exp()  # (n, 2)
        shape = self.config.components
        away = torch.cat([away[:, :shape] * scales[:, :1], away[:, shape:] * scales[:, 1:]], dim=1)
        return self.centres[label] + self.of_style(style, self.axes, label) + away

    @staticmethod
    def of_style(style: Tensor, axes: Tensor, label: Tensor) -> Tensor:
        """Styles (n, styles) along axes (styles, classes, width), of each row's class: (n, width)."""
        classes, width = axes.shape[1:]
        every = (style @ axes.flatten(1)).reshape(-1, classes, width)
        picked: Tensor = every.gather(1, label[:, None, None].expand(-1, 1, width)).squeeze(1)
        return picked

    def set_population(self, population: Population, spreads: Tensor, unmixing: Tensor) -> None:
        """Take over how people differ, and the local coordinates of their windows."""
        for name in ("axes", "scale_axes"):
            getattr(self, name).copy_(torch.from_numpy(getattr(population, name)))
        self.centres.copy_(torch.from_numpy(population.means))
        self.spreads.copy_(spreads)
        self.unmixing.copy_(unmixing)
