#include "common.cuh"

// Orthonormal bases of columns, in double. Matrices that are not rows of somebody's lie column by column.

// From factor.rs: BATCH rows of a tile of `assembled`.

// Rows over a triangle, z R = x, or over one more, by substitution: count × p. A thread a row. Reads each
// row once; p² flops a row.
extern "C" __global__ void NAME(divided)(NAME(Rows) a, i64 start, i64 count, int again, const double* r,
                                         double* z) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    for (int j = 0; j < a.p; ++j) {
        double x = again ? z[j * count + i] : (double)entry(a, start + i, j);
        for (int l = 0; l < j; ++l) x -= z[l * count + i] * r[(i64)j * a.p + l];
        z[j * count + i] = x / r[(i64)j * a.p + j];
    }
}

// z, turned where there is a turn, p × p, row by row. A thread an entry; blocks: rows, columns.
extern "C" __global__ void NAME(turned)(i64 count, int p, const double* z, const double* turn, REAL* out) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    const int c = blockIdx.y;
    if (i >= count) return;
    double sum = turn ? 0.0 : z[c * count + i];
    for (int j = 0; j < p && turn; ++j) sum += z[j * count + i] * turn[(i64)c * p + j];
    out[i * p + c] = (REAL)sum;
}

static __device__ __forceinline__ double warp_total(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

// Of x[0 … n) the largest size, not a number where one is none; then the sum of squares of what is behind
// the first, over that. All 256 threads.
static __device__ void measure(const double* x, i64 n, double* all, double& most, double& below) {
    const int t = threadIdx.x;
    double mine = 0.0;
    for (i64 i = t; i < n; i += THREADS) {
        double size = fabs(x[i]);
        mine = mine != mine || mine > size ? mine : size;
    }
    all[t] = mine;
    __syncthreads();
    most = 0.0;
    for (int l = 0; l < THREADS; ++l) most = most != most || most > all[l] ? most : all[l];
    __syncthreads();
    mine = 0.0;
    for (i64 i = t; i < n && most != 0.0; i += THREADS)
        if (i > 0) mine += (x[i] / most) * (x[i] / most);
    all[t] = mine;
    __syncthreads();
    below = 0.0;
    for (int l = 0; l < THREADS; ++l) below += all[l];
    __syncthreads();
}

// Column l of q, of h rows, less share v (v · column), v = 1 and what is below in column j. A warp.
static __device__ void reflect(double* q, i64 h, int j, int l, double share) {
    const int lane = threadIdx.x % 32;
    const double* v = q + j * h;
    double *column = q + l * h, dot = 0.0;
    for (i64 i = j + 1 + lane; i < h; i += 32) dot += v[i] * column[i];
    dot = share * (warp_total(dot) + column[j]);
    __syncwarp();
    for (i64 i = j + 1 + lane; i < h; i += 32) column[i] -= dot * v[i];
    if (lane == 0) column[j] -= dot;
}

// The triangle of each block of `height` rows by reflections (Householder 1958), into p columns of `s`; and
// its orthonormal factor into the first columns of its rows of `out`, n × k, where there is one. `scratch`
// is for (height + 1) p numbers a block. Blocks: blocks of rows, from `first` on; 256 threads.
extern "C" __global__ void NAME(factored)(NAME(Rows) a, i64 height, i64 first, double* scratch, double* tops,
                                          i64 s, REAL* out, int k) {
    __shared__ double all[THREADS];
    const int t = threadIdx.x, p = a.p, warp = t / 32;
    const i64 block = first + blockIdx.x, start = block * height;
    const i64 h = start + height < a.n ? height : a.n - start;
    const int width = h < p ? (int)h : p;
    double *q = scratch + blockIdx.x * (height + 1) * p, *shares = q + height * p;
    for (i64 e = t; e < h * p; e += THREADS) {
        i64 i = a.near ? e / p : e % h;
        int j = (int)(a.near ? e % p : e / h);
        q[j * h + i] = (double)entry(a, start + i, j);
    }
    __syncthreads();
    for (int j = 0; j < width; ++j) {
        double most, below, *x = q + j * h + j;
        measure(x, h - j, all, most, below);
        double share = 0.0, head = most != 0.0 ? x[0] / most : 0.0, turned = head;
        if (below != 0.0) {
            double length = sqrt(head * head + below);
            turned = head > 0.0 ? -length : length;
            share = (turned - head) / turned;
        }
        __syncthreads();
        for (i64 i = 1 + t; i < h - j && share != 0.0; i += THREADS) x[i] = x[i] / most / (head - turned);
        if (t == 0) {
            if (share != 0.0) x[0] = turned * most;
            shares[j] = share;
        }
        __syncthreads();
        for (int l = j + 1 + warp; l < p && share != 0.0; l += 8) reflect(q, h, j, l, share);
        __syncthreads();
    }
    for (i64 e = t; e < (i64)width * p; e += THREADS) {
        i64 i = e % width, l = e / width;
        tops[l * s + block * p + i] = i <= l ? q[l * h + i] : 0.0;
    }
    __syncthreads();
    if (!out) return;
    for (int j = width - 1; j >= 0; --j) {
        const double share = shares[j];
        for (int l = j + 1 + warp; l < width; l += 8) reflect(q, h, j, l, share);
        __syncthreads();
        for (i64 i = t; i < h; i += THREADS) {
            double v = q[j * h + i];
            q[j * h + i] = i < j ? 0.0 : i == j ? 1.0 - share : -share * v;
        }
        __syncthreads();
    }
    for (i64 e = t; e < h * width; e += THREADS)
        out[(start + e / width) * k + e % width] = (REAL)q[e % width * h + e / width];
}

// Those factors times their parts, s × k, in `out`, n × k. `scratch` is for 64 p numbers a block. Blocks: any
// number; 256 threads.
extern "C" __global__ void NAME(assembled)(i64 n, i64 height, int p, const double* parts, i64 s, int k,
                                           double* scratch, REAL* out) {
    double* mine = scratch + (i64)blockIdx.x * BATCH * p;
    for (i64 base = (i64)blockIdx.x * BATCH; base < n; base += (i64)gridDim.x * BATCH) {
        for (int e = threadIdx.x; e < BATCH * p; e += THREADS) {
            const i64 i = base + e / p, start = i / height * height;
            const i64 rows = start + height < n ? height : n - start;
            if (i < n) mine[e] = e % p < rows ? (double)out[i * k + e % p] : 0.0;
        }
        __syncthreads();
        for (int e = threadIdx.x; e < BATCH * k; e += THREADS) {
            const int r = e / k, c = e % k;
            const i64 i = base + r, start = i / height * height;
            const i64 rows = start + height < n ? height : n - start;
            double sum = 0.0;
            for (int l = 0; l < p && l < rows && i < n; ++l)
                sum += mine[r * p + l] * parts[c * s + i / height * p + l];
            if (i < n) out[i * k + c] = (REAL)sum;
        }
        __syncthreads();
    }
}
