"""The same rows in one process, over ranks, and over ranks of daal4py.

Started by itself, `_ranks.py CASE LIBRARY`, it is one process or rank.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from _cases import Case
from _rounds import alternate, apart, ratio, table

INNER = 5  # fits in every start of the ranks
TIMEOUT = 600  # seconds, of a start

# What Open MPI and MPICH need to start as root, with more ranks than cores.
MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
}


class Start(NamedTuple):
    """How a case is started: as ranks of one thread, or as one process of two."""

    ranks: int
    library: str = "sklearnex_rs"


RANKS = {
    "1 process, 2 threads": Start(0),
    "2 ranks, 1 thread": Start(2),
    "4 ranks, 1 thread": Start(4),
}
DAAL4PY = {
    "sklearnex_rs, 2 ranks": Start(2),
    "daal4py, 2 ranks": Start(2, "daal4py"),
}


def compare_ranks(cases: list[Case], rounds: int) -> str:
    """Return the fit of the same rows in one process and spread over ranks."""
    mpirun = Path(sys.executable).with_name("mpirun")
    if not mpirun.exists():
        return f"without ranks: there is no {mpirun}"
    return compared(cases, RANKS, rounds, mpirun, {})


def compare_daal4py(cases: list[Case], rounds: int, mpich: Path) -> str:
    """Return the fit by ranks of ours and by ranks of daal4py, on one MPICH."""
    if find_spec("daal4py") is None:
        return "without daal4py: pip install scikit-learn-intelex"
    mpirun, library = mpich / "bin" / "mpirun", mpich / "lib" / "libmpi.so.12"
    for needed in (mpirun, library):
        if not needed.exists():
            return (
                f"without daal4py: it needs MPICH, and there is no {needed}; "
                "python -m venv mpich, mpich/bin/pip install mpich, then --mpich mpich"
            )
    # The loader gives daal4py, and mpi4py by its name, the same library.
    paths = [str(library.parent), os.environ.get("LD_LIBRARY_PATH", "")]
    environment = {
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, paths)),
        "MPI4PY_LIBMPI": str(library),
    }
    return compared(cases, DAAL4PY, rounds, mpirun, environment)


def compared(
    cases: list[Case],
    starts: dict[str, Start],
    rounds: int,
    mpirun: Path,
    environment: dict[str, str],
) -> str:
    """Return the table of all starts; the first is the base."""
    alone = next(iter(starts))
    rows = [("case", "started as", "fit ms", f"/ {alone}", "answer apart from its")]
    for case in cases:
        answers: dict[str, np.ndarray] = {}
        measures = {
            name: partial(
                measured, answers, name, started(mpirun, case, start, environment)
            )
            for name, start in starts.items()
        }
        times = alternate(measures, rounds)
        for name, own in times.items():
            far = apart(answers[name], answers[alone])
            ms = f"{1e3 * median(own):.3f}"
            rows.append((str(case), name, ms, ratio(own, times[alone]), far))
    return table(rows)


def measured(
    answers: dict[str, np.ndarray], name: str, start: Callable[[], dict]
) -> float:
    """Start once, keep the answer, and return the time."""
    said = start()
    answers[name] = np.array(said["answer"])
    return said["time"]


def started(
    mpirun: Path, case: Case, start: Start, environment: dict[str, str]
) -> Callable[[], dict]:
    """Return what starts ranks, or one process if none, and returns what they say."""
    command = [sys.executable, __file__, str(case), start.library]
    if start.ranks:
        command = [str(mpirun), "-n", str(start.ranks), *command]
    threads = {"SKLEARNEX_RS_NUM_THREADS": "1" if start.ranks else "2"}
    whole = {**os.environ, **MPI, **environment, **threads}

    def run() -> dict:
        done = subprocess.run(
            command, env=whole, stdout=subprocess.PIPE, timeout=TIMEOUT, check=True
        )
        return json.loads(done.stdout)

    return run


def with_daal4py(case: Case, X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return what fits by daal4py over ranks, and returns the answer."""
    import daal4py

    daal4py.daalinit(1)  # thread
    options = {"fptype": "float" if case.dtype == "float32" else "double"}
    spread = {**options, "distributed": True}
    if case.model == "linear":
        line = daal4py.linear_regression_training(interceptFlag=True, **spread)
        return lambda: line.compute(X, y[:, None]).model.Beta[0, 1:]
    if case.model == "ridge":
        penalty = {"ridgeParameters": np.array([[1.0]], X.dtype)}
        line = daal4py.ridge_regression_training(
            interceptFlag=True, **penalty, **spread
        )
        return lambda: line.compute(X, y[:, None]).model.Beta[0, 1:]
    if case.model == "pca":  # of columns scaled to variance 1: it has no other
        pca = daal4py.pca(method="correlationDense", **spread)
        return lambda: pca.compute(X).eigenvalues[0, : case.numbers[0]]
    if case.model == "covariance":  # it divides by one less
        products = daal4py.covariance(**spread)
        return lambda: products.compute(X).covariance * (1 - 1 / case.rows)
    if case.model == "statistics":
        moments = daal4py.low_order_moments(**spread)
        return lambda: moments.compute(X).variance
    if case.model in ("qr", "svd"):
        factors = getattr(daal4py, case.model)(**spread)
        name = "matrixR" if case.model == "qr" else "singularValues"
        return lambda: np.abs(getattr(factors.compute(X), name))
    k, rounds = (*case.numbers, 1)[:2]
    lloyd = daal4py.kmeans(k, rounds, accuracyThreshold=0, **spread)
    # Over ranks it gives no labels; as our fit does, each rank finds its own.
    label = daal4py.kmeans(k, 0, assignFlag=True, **options)
    trials = 2 + int(np.log(k))  # as many as scikit-learn's
    begin = {"method": "plusPlusDense", "nTrials": trials}
    first = daal4py.kmeans_init(k, **begin, **spread)

    given = case.start() if case.model == "kmeans" else None

    def fit() -> object:
        start = first.compute(X).centroids if given is None else given
        centers = lloyd.compute(X, start).centroids
        inertia = label.compute(X, centers).objectiveFunction
        return world().allreduce(inertia) if given is None else centers

    return fit


def world() -> object:
    """Return the communicator of all ranks."""
    from mpi4py import MPI as mpi

    return mpi.COMM_WORLD


def with_ours(
    case: Case, X: np.ndarray, y: np.ndarray, library: str
) -> Callable[[], object]:
    """Return what fits by our classes, and returns the answer."""
    model = case.make(library)
    data = case.data("fit", X, y)
    return lambda: case.answer(model.fit(*data))


def work(case: Case, library: str) -> None:
    """Fit one share, and print the median time of the slowest rank."""
    comm = world() if os.environ["SKLEARNEX_RS_NUM_THREADS"] == "1" else None
    rank, size = (comm.rank, comm.size) if comm else (0, 1)
    X, y = case.blocks(rank, size)
    if library == "daal4py":
        fit = with_daal4py(case, X, y)
    else:
        fit = with_ours(case, X, y, f"{library}.spmd" if comm else library)
    fit()
    times = []
    for _ in range(INNER):
        if comm:
            comm.Barrier()
        start = perf_counter()
        answer = fit()
        time = perf_counter() - start
        times.append(max(comm.allgather(time)) if comm else time)
    if rank == 0:
        print(json.dumps({"time": median(times), "answer": np.ravel(answer).tolist()}))


if __name__ == "__main__":
    work(Case.read(sys.argv[1]), sys.argv[2])
