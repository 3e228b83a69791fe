"""Shares of real data that every machine with scikit-learn has.

The photographs come with scikit-learn under CC BY 2.0
(https://creativecommons.org/licenses/by/2.0/); its datasets/images/README.txt
attributes both, china.jpg (https://www.flickr.com/photos/danielbuechele/6061409035/)
and flower.jpg (https://www.flickr.com/photos/vultilion/6056698931/), to
danielbuechele; the second stands in the account vultilion.
"""

from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_sample_image

SIDE = 5  # of the window whose last pixel is predicted from the others
EYE = 2.2 / 3  # light is the power 2.2 of the file's; what is seen, its cube root


class Pixels(NamedTuple):
    """Consecutive pixels of a photograph, each beside its neighbourhood."""

    number: np.ndarray  # of the pixel, in raster order
    X: np.ndarray  # (n, 72): the 24 pixels of the window before it, three channels each
    y: np.ndarray  # (n,): its blue channel, from 0 to 1
    shape: tuple[int, int]  # rows and columns of all the predicted pixels


def share(n: int, rank: int, size: int) -> slice:
    """Return the consecutive rows of one rank, of `n` in all; parts differ by one."""
    return slice(n * rank // size, n * (rank + 1) // size)


def causal_pixels(rank: int = 0, size: int = 1, name: str = "china.jpg") -> Pixels:
    """Return one rank's pixels, of 269,028, and what an encoder knows before each.

    Only the windows of this rank are ever copied.
    """
    photograph = load_sample_image(name)
    windows = np.lib.stride_tricks.sliding_window_view(
        photograph, (SIDE, SIDE), axis=(0, 1)
    )
    shape = windows.shape[:2]
    mine = share(shape[0] * shape[1], rank, size)
    number = np.arange(mine.start, mine.stop)
    own = windows[np.unravel_index(number, shape)]  # (n, channels, SIDE, SIDE)
    pixels = own.transpose(0, 2, 3, 1).reshape(len(own), -1, 3) / 255
    # Contiguous rows, without the pixel that is to be predicted.
    X = pixels[:, :-1].reshape(len(own), -1)
    return Pixels(number, X, pixels[:, -1, 2].copy(), shape)


def colour_patches(rank: int = 0, size: int = 1, name: str = "china.jpg") -> np.ndarray:
    """Return one rank's patches of 8 x 8 pixels, of 265,860, as rows from 0 to 1."""
    photograph = load_sample_image(name)
    windows = np.lib.stride_tricks.sliding_window_view(photograph, (8, 8), axis=(0, 1))
    shape = windows.shape[:2]
    mine = share(shape[0] * shape[1], rank, size)
    own = windows[np.unravel_index(np.arange(mine.start, mine.stop), shape)]
    return own.transpose(0, 2, 3, 1).reshape(len(own), -1) / 255  # (n, 192)


def colours(rank: int = 0, size: int = 1, name: str = "china.jpg") -> np.ndarray:
    """Return one rank's pixels, of 273,280 in raster order, as the eye sees them.

    Unlike among the whole numbers of the file, hardly any is just between two others,
    where rounding decides.
    """
    pixels = load_sample_image(name).reshape(-1, 3)
    return (pixels[share(len(pixels), rank, size)] / 255) ** EYE  # (n, 3), from 0 to 1
