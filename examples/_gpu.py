"""Rows on an NVIDIA GPU, in arrays of torch or of CuPy: whichever there is."""

from typing import Any

import numpy as np


def missing() -> str:
    """Say why there is no GPU to show anything on; nothing where there is one."""
    try:
        import torch

        return "" if torch.cuda.is_available() else "torch finds no GPU of NVIDIA"
    except ImportError:
        pass
    try:
        import cupy

        cupy.cuda.runtime.getDeviceCount()
    except ImportError:
        return "this needs torch or CuPy, and an NVIDIA GPU"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no GPU of NVIDIA: {error}"
    return ""


def on_gpu(array: Any, ordinal: int = 0) -> Any:
    """Copy an array of NumPy to a GPU."""
    try:
        import torch
    except ImportError:
        import cupy

        with cupy.cuda.Device(ordinal):
            return cupy.asarray(array)
    return torch.as_tensor(array, device=torch.device("cuda", ordinal))


def on_host(array: Any) -> np.ndarray:
    """Copy an array of a GPU to NumPy."""
    return array.get() if hasattr(array, "get") else array.cpu().numpy()
