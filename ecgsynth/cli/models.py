"""The models that can be trained, and what the command line says of each."""

__all__ = ["ROWS", "SHOWN", "WINDOWS"]

WINDOWS = {"rwgan": "a recurrent WGAN-GP", "timegan": "TimeGAN"}
ROWS = {
    "default": "column after column, the one that measures best",
    "gan": "a GAN",
    "cgan": "a GAN with a label",
    "wgan": "a Wasserstein GAN with clipped weights",
    "wgan-gp": "a Wasserstein GAN with a gradient penalty",
    "cwgan-gp": "the same with a label",
    "dragan": "DRAGAN",
    "cramergan": "Cramer GAN",
    "ctgan": "CTGAN",
    "gain": "fills holes",
}
# Losses that the bar of a training shows.
SHOWN = (
    *("wasserstein", "generator", "reconstruction", "supervised"),
    *("nats", "critic", "discriminator"),
)
