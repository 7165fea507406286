"""Which devices there are, asked without creating a context on any. Imports torch: only the server calls `available`.

Not verified on a GPU: everything here was run on machines without one.
"""

from __future__ import annotations

__all__ = ["DEVICES", "available"]

DEVICES = ("auto", "cpu", "cuda", "mps")


def available() -> dict[str, bool]:
    """Whether each device can be used by this torch on this machine.

    The server's environment sets PYTORCH_NVML_BASED_CUDA_CHECK=1, so that asking for CUDA does not initialise it.
    """
    import torch

    mps = getattr(torch.backends, "mps", None)
    return {"cpu": True, "cuda": bool(torch.cuda.is_available()), "mps": bool(mps is not None and mps.is_available())}
