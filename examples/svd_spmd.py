"""A photograph of few singular values, whose rows of pixels are spread over ranks.

Each rank keeps and rebuilds its own rows only; alone, it is one rank:

    mpirun -n 4 python examples/svd_spmd.py [few.png]
"""

import sys

import numpy as np
from _data import share
from mpi4py import MPI
from PIL import Image
from sklearn.datasets import load_sample_image

from sklearnex_rs.spmd.linalg import svd

KEPT = 40

comm = MPI.COMM_WORLD
photograph = load_sample_image("china.jpg") / 255
lines = photograph.reshape(len(photograph), -1)  # 427 x 1920
mine = lines[share(len(lines), comm.rank, comm.size)]

U, S, Vh = svd(mine)  # U has this rank's rows; S and Vh are the same on all
few = (U[:, :KEPT] * S[:KEPT]) @ Vh[:KEPT]
lost = comm.allreduce(np.sum((few - mine) ** 2))
apart = np.abs(comm.allreduce(U.T @ U) - np.eye(len(S))).max()
rebuilt = comm.gather(few)

if comm.rank == 0:
    print(f"ranks: {comm.size}")
    print(f"U is orthonormal but for: {apart:.1e}")
    kept = KEPT * (sum(lines.shape) + 1) / lines.size
    print(f"kept: {KEPT} of {len(S)} values, {kept:.3f} of the numbers")
    least = np.sqrt(np.sum(S[KEPT:] ** 2))
    print(f"lost: {np.sqrt(lost):.6f}, as little as can be: {least:.6f}")
    alone = np.linalg.svd(lines, compute_uv=False)
    print(f"relative difference from NumPy: {np.abs(S - alone).max() / alone[0]:.1e}")

    path = sys.argv[1] if len(sys.argv) > 1 else "svd_few.png"
    picture = np.concatenate(rebuilt).clip(0, 1).reshape(photograph.shape)
    Image.fromarray(np.rint(255 * picture).astype(np.uint8)).save(path, format="PNG")
    print(f"the photograph: {path}")
