#include "common.cuh"

// Logistic losses: scores are C [x − x̄, 1], m by p + 1; of one, that of the second of two classes. In double.

// From link.rs: BATCH rows of a tile; where a tile stays in shared memory ROWS rows, FEW scores and MINE
// columns of a thread at most.
#define WIDTH 16   // columns of a tile
#define EACH 4     // scores of a thread
#define TARGETS 4  // scores whose gradient a block adds to at a time

// One tile of [x − x̄, 1].
static __device__ void bordered(const NAME(Rows) & a, i64 base, i64 end, int column, const double* mean,
                                double (*z)[WIDTH + 1]) {
    for (int e = threadIdx.x; e < BATCH * WIDTH; e += THREADS) {
        int r = a.near ? e / WIDTH : e % BATCH, c = a.near ? e % WIDTH : e / BATCH, j = column + c;
        bool inside = base + r < end && j < a.p;
        double x = inside ? (double)entry(a, base + r, j) - mean[j] : 0.0;
        z[r][c] = base + r < end && j == a.p ? 1.0 : x;
    }
}

// The loss of a row; its scores become what flows back, w (probability − [own class]). Shares, where there
// is room, stand score by score, n each: w times probabilities, of one score the second derivative.
static __device__ double turn(double* scores, int m, int label, double w, double* shares, i64 n) {
    if (m == 1) {
        const double sign = label > 0 ? -1.0 : 1.0, far = sign * scores[0], tail = exp(-fabs(far));
        const double share = w / (1.0 + tail);
        scores[0] = sign * share * (far > 0.0 ? 1.0 : tail);
        if (shares) shares[0] = share * tail / (1.0 + tail);
        return w * (log1p(tail) + (far > 0.0 ? far : 0.0));
    }
    double most = scores[0], others = 0.0;
    for (int c = 1; c < m; ++c) most = scores[c] > most ? scores[c] : most;
    const double gap = most - scores[label], top = exp(-gap);
    for (int c = 0; c < m; ++c) {
        scores[c] = exp(scores[c] - most);
        if (c != label) others += scores[c];
    }
    const double share = w / (top + others);
    for (int c = 0; c < m; ++c) {
        scores[c] *= share;
        if (shares) shares[c * n] = scores[c];
    }
    scores[label] = -share * others;
    return w * (gap == 0.0 ? log1p(others) : log(top + others) + gap);
}

// The same of row i, by the weight of its class; the weights of rows stand behind their shares.
static __device__ double lost(const NAME(Rows) & a, i64 i, const double* classes, double* scores, int m,
                          double* shares) {
    const int last = m > 1 ? m - 1 : 1, given = (int)entry(a, i, a.p);
    const int label = given < 0 ? 0 : given < last ? given : last;
    const double w = weight(a, i) * classes[label];
    if (shares) shares[m * a.n + i] = w;
    return turn(scores, m, label, w, shares ? shares + i : nullptr, a.n);
}

// Of each chunk the gradient of Σ w ℓ, m × (p + 1), and behind it the loss. `scratch` is for 64 × m numbers a
// block; the weights of rows stand behind their shares. Blocks: chunks; 256 threads. Reads each row once
// from memory, and from cache for sixteen scores and for the gradients of four.
extern "C" __global__ void NAME(link)(NAME(Rows) a, i64 size, const double* mean, const double* coef,
                                      const double* classes, int m, double* scratch, double* shares,
                                      double* parts) {
    __shared__ double z[BATCH][WIDTH + 1];
    __shared__ double quarters[4][TARGETS * WIDTH];
    const int t = threadIdx.x, r = t % BATCH, width = a.p + 1;
    const int c = t % WIDTH, k = t / WIDTH % TARGETS, quarter = t / (WIDTH * TARGETS);
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double *scores = scratch + chunk * BATCH * m, *out = parts + chunk * ((i64)m * width + 1), loss = 0.0;
    for (i64 base = chunk * size; base < end; base += BATCH) {
        for (int first = 0; first < m; first += BATCH / EACH) {
            const int mine = first + t / BATCH * EACH;
            double sums[EACH];
            for (int u = 0; u < EACH; ++u) sums[u] = 0.0;
            for (int column = 0; column < width; column += WIDTH) {
                bordered(a, base, end, column, mean, z);
                __syncthreads();
                for (int u = 0; u < EACH && mine + u < m; ++u)
                    for (int l = 0; l < WIDTH && column + l < width; ++l)
                        sums[u] += z[r][l] * coef[(i64)(mine + u) * width + column + l];
                __syncthreads();
            }
            for (int u = 0; u < EACH && mine + u < m; ++u) scores[r * m + mine + u] = sums[u];
        }
        __syncthreads();
        if (t < BATCH && base + t < end) {
            const i64 i = base + t;
            loss += lost(a, i, classes, scores + t * m, m, shares);
        } else if (t < BATCH) {
            for (int l = 0; l < m; ++l) scores[t * m + l] = 0.0;
        }
        __syncthreads();
        for (int first = 0; first < m; first += TARGETS)
            for (int column = 0; column < width; column += WIDTH) {
                bordered(a, base, end, column, mean, z);
                __syncthreads();
                double dot = 0.0;
                for (int l = quarter * BATCH / 4; l < (quarter + 1) * BATCH / 4 && first + k < m; ++l)
                    dot += z[l][c] * scores[l * m + first + k];
                quarters[quarter][t % (TARGETS * WIDTH)] = dot;
                __syncthreads();
                if (quarter == 0 && column + c < width && first + k < m) {
                    dot += quarters[1][t] + quarters[2][t] + quarters[3][t];
                    double* to = out + (i64)(first + k) * width + column + c;
                    *to = base == chunk * size ? dot : *to + dot;
                }
            }
        __syncthreads();
    }
    if (t < BATCH) z[t][0] = loss;
    __syncthreads();
    if (t) return;
    for (int l = 1; l < BATCH; ++l) loss += z[l][0];
    out[(i64)m * width] = loss;
}

// A tile of rows, `pitch` apart; rows that are not there are zero.
static __device__ __forceinline__ void held(const NAME(Rows) & a, i64 base, i64 end, int pitch, REAL* tile) {
    const int lane = threadIdx.x % 32, high = a.near ? ROWS : a.p, along = a.near ? a.p : ROWS;
    for (int e = threadIdx.x / 32; e < high; e += 8)
#pragma unroll 8
        for (int l = lane; l < along; l += 32) {
            const int r = a.near ? e : l, c = a.near ? l : e;
            tile[r * pitch + c] = base + r < end ? entry(a, base + r, c) : REAL(0);
        }
}

// The same for m ≤ 4 scores of p < 512 columns, whose tiles of 32 rows fit into shared memory: that is for
// p + m (p + 1) + 32 m doubles, then 32 pitch numbers of the rows' type. Blocks: chunks; 256 threads. Reads
// each row once.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    NAME(link_few)(NAME(Rows) a, i64 size, int pitch, const double* mean, const double* coef,
                   const double* classes, int m, double* shares, double* parts) {
    DYNAMIC(double, place);
    const int t = threadIdx.x, width = a.p + 1, row = t / 8;
    double *by = place + a.p, *scores = by + m * width;
    REAL* tile = (REAL*)(scores + ROWS * m);
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double *out = parts + chunk * ((i64)m * width + 1), loss = 0.0, sums[MINE][FEW] = {};
    for (int e = t; e < m * width; e += THREADS) by[e] = coef[e];
    for (int e = t; e < a.p; e += THREADS) place[e] = mean[e];
    for (i64 base = chunk * size; base < end; base += ROWS) {
        held(a, base, end, pitch, tile);
        __syncthreads();
        double dots[FEW] = {};
        for (int c = t % 8; c < a.p; c += 8) {
            const double z = (double)tile[row * pitch + c] - place[c];
#pragma unroll
            for (int k = 0; k < FEW; ++k)
                if (k < m) dots[k] += z * by[k * width + c];
        }
#pragma unroll
        for (int k = 0; k < FEW; ++k) {
            for (int step = 1; step < 8; step *= 2)
                dots[k] += __shfl_xor_sync(0xffffffffu, dots[k], step);
            if (k < m && t % 8 == k) scores[row * m + k] = dots[k] + by[k * width + a.p];
        }
        __syncthreads();
        if (t < ROWS) {
            const i64 i = base + t;
            if (i < end) {
                loss += lost(a, i, classes, scores + t * m, m, shares);
            } else {
                for (int k = 0; k < m; ++k) scores[t * m + k] = 0.0;
            }
        }
        __syncthreads();
#pragma unroll
        for (int o = 0; o < MINE; ++o) {
            const int c = t + THREADS * o;
            for (int r = 0; r < ROWS && c < width; ++r) {
                const double z = c < a.p ? (double)tile[r * pitch + c] - place[c] : 1.0;
#pragma unroll
                for (int k = 0; k < FEW; ++k)
                    if (k < m) sums[o][k] += z * scores[r * m + k];
            }
        }
        __syncthreads();
    }
#pragma unroll
    for (int o = 0; o < MINE; ++o)
#pragma unroll
        for (int k = 0; k < FEW; ++k)
            if (k < m && t + THREADS * o < width) out[k * width + t + THREADS * o] = sums[o][k];
    if (t < ROWS) place[t] = loss; // there are 32 at least with the scores
    __syncthreads();
    if (t) return;
    for (int l = 1; l < ROWS; ++l) loss += place[l];
    out[(i64)m * width] = loss;
}

// The second derivative of each row by scores i and j, of its shares: as weights. A thread a row.
extern "C" __global__ void NAME(hessian_weights)(i64 n, int m, int i, int j, const double* shares, REAL* out) {
    const i64 row = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n) return;
    const double w = shares[m * n + row], one = shares[i * n + row], other = shares[j * n + row];
    double bent = one;
    if (m > 1) bent = w > 0.0 ? (i == j ? one * (1.0 - one / w) : -one * (other / w)) : 0.0;
    out[row] = (REAL)bent;
}
