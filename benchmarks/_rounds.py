"""Rounds of measurements, and tables of them as text and as a picture."""

from collections.abc import Callable
from statistics import geometric_mean, median
from time import perf_counter

import numpy as np

SECONDS = 0.2  # a measurement is repeated within a round until it takes this long


def alternate(measures: dict[str, Callable[[], float]], rounds: int) -> dict:
    """Measure all in every round, in turning order; return the times by name."""
    names = list(measures)
    times = {name: [] for name in names}
    for r in range(rounds):
        for name in names[r % len(names) :] + names[: r % len(names)]:
            times[name].append(measures[name]())
    return times


def timed(call: Callable[[], object]) -> Callable[[], float]:
    """Return what measures one call, from loops that are long enough."""

    def measure(loops: int) -> float:
        start = perf_counter()
        for _ in range(loops):
            call()
        return (perf_counter() - start) / loops

    first = measure(1)  # starts threads and loads libraries
    loops = 1 if first > 5 * SECONDS else max(1, round(SECONDS / measure(1)))
    return lambda: measure(loops)


def ratios(times: list[float], base: list[float]) -> list[float]:
    """Return the ratio within each round."""
    return [t / b for t, b in zip(times, base, strict=True)]


def ratio(times: list[float], base: list[float]) -> str:
    """Return the median ratio within a round, and the least and the largest."""
    within = ratios(times, base)
    return f"{median(within):.2f} ({min(within):.2f} to {max(within):.2f})"


def mean_ratio(pairs: list[tuple[list[float], list[float]]]) -> str:
    """Return the geometric mean of the median ratios of several comparisons."""
    return f"{geometric_mean(median(ratios(*pair)) for pair in pairs):.2f}"


def apart(answer: np.ndarray, base: np.ndarray) -> str:
    """Return how far answers are apart, relative to the largest."""
    answer, base = np.ravel(answer), np.ravel(base)
    return f"{np.max(np.abs(answer - base)) / np.max(np.abs(base)):.0e}"


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows of text in columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def picture(text: str, path: str) -> None:
    """Write text as a PNG, as it looks here."""
    from matplotlib.figure import Figure

    lines = text.split("\n")
    inches = 0.075 * max(map(len, lines)) + 0.5, 0.16 * len(lines) + 0.5
    figure = Figure(inches, dpi=150)
    style = {"family": "monospace", "size": 8, "va": "top", "linespacing": 1.4}
    figure.text(0.25 / inches[0], 1 - 0.25 / inches[1], text, **style)
    figure.savefig(path, format="png")
