"""Where networks are computed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ecgsynth.errors import ConfigError

__all__ = ["one_thread", "pick_device"]


def pick_device(device: str) -> torch.device:
    """Auto takes CUDA, then Apple's MPS, then the CPU; ConfigError for a device that is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    if not available.get(device, False):
        there = ", ".join(name for name, found in available.items() if found)
        raise ConfigError(f"there is no device {device!r} here; available: {there}")
    return torch.device(device)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one core: small networks gain nothing from several, and lose by far where the others are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
