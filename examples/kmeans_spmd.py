"""The colours that serve a photograph best, and the photograph in those alone.

Each rank makes and keeps its own pixels only; alone, it is one rank:

    mpirun -n 4 python examples/kmeans_spmd.py [quantised.png]
"""

import sys

import numpy as np
from _data import EYE, colours
from mpi4py import MPI
from PIL import Image
from sklearn.cluster import KMeans as Theirs

from sklearnex_rs.cluster import KMeans as OneMachine
from sklearnex_rs.spmd import KMeans

COLOURS = 32
WIDTH = 640  # of the photograph

comm = MPI.COMM_WORLD
mine = colours(comm.rank, comm.size)

model = KMeans(n_clusters=COLOURS, random_state=0).fit(mine)
painted = comm.gather(model.cluster_centers_[model.labels_])  # of this rank's pixels

if comm.rank == 0:
    everything = colours()
    print(f"ranks: {comm.size}")
    print(f"pixels: {len(everything)}, in {COLOURS} colours")
    print(f"inertia: {model.inertia_:.6f} after {model.n_iter_} rounds")

    for name, cls in ("sklearnex_rs", OneMachine), ("scikit-learn", Theirs):
        single = cls(n_clusters=COLOURS, random_state=0).fit(everything)
        relative = abs(model.inertia_ - single.inertia_) / single.inertia_
        centers = np.abs(model.cluster_centers_ - single.cluster_centers_).max()
        print(
            f"{name} on one machine: {single.n_iter_} rounds, inertia apart "
            f"{relative:.1e}, centers {centers:.1e}"
        )

    path = sys.argv[1] if len(sys.argv) > 1 else "kmeans_quantised.png"
    both = np.stack([everything, np.concatenate(painted)]).reshape(2, -1, WIDTH, 3)
    picture = np.rint(255 * np.concatenate(both ** (1 / EYE), axis=1)).astype(np.uint8)
    Image.fromarray(picture).save(path, format="PNG")
    print(f"before and after: {path}")
