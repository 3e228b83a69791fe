"""The colours of a photograph, channel by channel: ten statistics in one pass.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/basic_statistics_spmd.py
"""

import numpy as np
from _data import colours
from mpi4py import MPI

from sklearnex_rs.spmd import BasicStatistics

comm = MPI.COMM_WORLD
mine = colours(comm.rank, comm.size)

model = BasicStatistics().fit(mine)

# The same, of the photograph as it would be seen from a million away.
far = BasicStatistics("standard_deviation").fit(mine + 1e6)

if comm.rank == 0:
    everything = colours()
    print(f"ranks: {comm.size}")
    print(f"pixels: {len(everything)}, in {model.n_features_in_} channels")
    print(f"{'':23}{'red':>12}{'green':>12}{'blue':>12}")
    for name in (
        "min",
        "max",
        "sum",
        "mean",
        "variance",
        "variation",
        "sum_squares",
        "sum_squares_centered",
        "standard_deviation",
        "second_order_raw_moment",
    ):
        words = "".join(f"{x:12.3f}" for x in getattr(model, f"{name}_"))
        print(f"{name:23}{words}")
    deviation = everything.std(axis=0, ddof=1)
    for text, found in (("", model), (" from a million away", far)):
        apart = np.abs(found.standard_deviation_ / deviation - 1).max()
        print(f"relative difference from NumPy's deviation{text}: {apart:.1e}")
