"""The colours that serve a photograph best, found on an NVIDIA GPU.

Rows are arrays of torch or CuPy, and so are centers and labels; nothing but what the
last lines print comes back to the host. Ends at once where there is no GPU:

    python examples/kmeans_cuda.py
"""

import sys
import time

import numpy as np
from _data import colours
from _gpu import missing, on_gpu, on_host

from sklearnex_rs import config_context
from sklearnex_rs.cluster import KMeans

COLOURS = 32

if missing():
    print(f"nothing to show: {missing()}")
    sys.exit()

pixels = colours().astype(np.float32)
there = on_gpu(pixels)
KMeans(n_clusters=2, max_iter=1).fit(there)  # compiles the kernels, or reads them

start = time.perf_counter()
model = KMeans(n_clusters=COLOURS, random_state=0).fit(there)
took = time.perf_counter() - start
print(f"pixels: {len(pixels)}, in {COLOURS} colours, of {type(there).__module__}")
print(f"on the GPU: {model.n_iter_} rounds in {1e3 * took:.0f} ms")

start = time.perf_counter()
host = KMeans(n_clusters=COLOURS, random_state=0).fit(pixels)
took = time.perf_counter() - start
print(f"on the host: {host.n_iter_} rounds in {1e3 * took:.0f} ms")
apart = np.abs(on_host(model.cluster_centers_) - host.cluster_centers_).max()
print(f"inertia apart {abs(model.inertia_ / host.inertia_ - 1):.1e}")
print(f"centers apart {apart:.1e}")

with config_context(device="cuda"):  # the same from NumPy, and to NumPy
    labels = model.predict(pixels)
print(f"labels from NumPy: {type(labels).__name__}, {len(np.unique(labels))} colours")
