"""The directions in which the colour patches of a photograph vary most, as a picture.

Each rank makes and keeps its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/pca_spmd.py [components.png]
"""

import sys

import numpy as np
from _data import colour_patches
from mpi4py import MPI
from PIL import Image
from sklearn.decomposition import PCA as OneMachine

from sklearnex_rs.spmd import PCA

comm = MPI.COMM_WORLD
mine = colour_patches(comm.rank, comm.size)

model = PCA(n_components=24).fit(mine)
there = model.transform(mine)  # of this rank's rows: no messages
lost = comm.allreduce(np.sum((model.inverse_transform(there) - mine) ** 2))

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"rows: {model.n_samples_}, {model.n_features_in_} columns")
    for k in (1, 3, 8, 24):
        share = model.explained_variance_ratio_[:k].sum()
        print(f"variance explained by {k:2} components: {share:.6f}")
    print(
        f"root mean square of what they leave: {np.sqrt(lost / model.n_samples_):.6f}"
    )

    everything = colour_patches()
    single = OneMachine(n_components=24, svd_solver="covariance_eigh").fit(everything)
    size = np.abs(single.components_).max()
    difference = np.abs(model.components_ - single.components_).max() / size
    print(f"largest difference of a component from scikit-learn: {difference:.1e}")

    path = sys.argv[1] if len(sys.argv) > 1 else "pca_components.png"
    largest = np.abs(model.components_).max(axis=1, keepdims=True)
    tiles = (0.5 + model.components_ / largest / 2).reshape(-1, 8, 8, 3)
    tiles = np.pad(tiles, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1.0)
    picture = tiles.reshape(3, 8, 10, 10, 3).swapaxes(1, 2).reshape(30, 80, 3)
    picture = np.rint(255 * picture).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(picture).save(path, format="PNG")
    print(f"the components: {path}")
