"""Where networks are computed."""

import torch

from ecgsynth.errors import ConfigError

__all__ = ["pick_device"]


def pick_device(device: str) -> torch.device:
    """Auto takes CUDA, then Apple's MPS, then the CPU; ConfigError for a device that is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if available[name]))
    if not available.get(device, False):
        there = ", ".join(name for name, found in available.items() if found)
        raise ConfigError(f"there is no device {device!r} here; available: {there}")
    return torch.device(device)
