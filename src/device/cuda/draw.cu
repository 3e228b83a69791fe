#include "common.cuh"

// Single rows and points, as draws and empty clusters want them. Every sum has one order.

// From draw.rs: SPAN rows and POINTS points of a tile; PIECE rows whose potentials are summed together.
#define DEPTH 16    // columns of a tile
#define OWN 4       // points of a thread

// ‖z − c‖² of each row and its centre, in double. A thread a row.
extern "C" __global__ void NAME(apart)(NAME(Rows) a, const double* place, const double* centers,
                                       const int* labels, double* out) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.n) return;
    double sum = 0.0;
    for (int j = 0; j < a.p; ++j) {
        double d = (double)entry(a, i, j) - place[j] - centers[(i64)labels[i] * a.p + j];
        sum += d * d;
    }
    out[i] = sum;
}

// A row, around a place if there is one, and its weight. A thread a column.
extern "C" __global__ void NAME(gather)(NAME(Rows) a, i64 i, const double* place, double* out) {
    const int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j < a.p) out[j] = (double)entry(a, i, j) - (place ? place[j] : 0.0);
    if (j == a.p) out[j] = weight(a, i);
}

// A number for every row. A thread a row.
extern "C" __global__ void NAME(filled)(i64 n, double value, REAL* out) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = (REAL)value;
}

// Zero for some rows. A thread each.
extern "C" __global__ void NAME(erased)(i64 count, const i64* rows, REAL* out) {
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[rows[i]] = REAL(0);
}

// Σ (x − c)² of 64 rows and 16 points, in the type of the rows: a thread has row t mod 64 and four points.
static __device__ void squares(const NAME(Rows) & a, i64 base, const REAL* points, int many,
                               REAL (*z)[DEPTH + 1], REAL* sums) {
    const int t = threadIdx.x, r = t % SPAN, first = t / SPAN * OWN;
    for (int u = 0; u < OWN; ++u) sums[u] = REAL(0);
    for (int column = 0; column < a.p; column += DEPTH) {
        for (int e = t; e < SPAN * DEPTH; e += THREADS) {
            int row = a.near ? e / DEPTH : e % SPAN, c = a.near ? e % DEPTH : e / SPAN;
            bool inside = base + row < a.n && column + c < a.p;
            z[row][c] = inside ? entry(a, base + row, column + c) : REAL(0);
        }
        __syncthreads();
        for (int u = 0; u < OWN && first + u < many; ++u)
            for (int c = 0; c < DEPTH && column + c < a.p; ++c) {
                REAL d = z[r][c] - points[(i64)(first + u) * a.p + column + c];
                sums[u] += d * d;
            }
        __syncthreads();
    }
}

// Takes `many` points into account: near = min(near, Σ (x − c)²), of 64 rows.
static __device__ void take(const NAME(Rows) & a, i64 base, const REAL* points, int many,
                            REAL (*z)[DEPTH + 1], REAL (*found)[SPAN], REAL* near) {
    const int t = threadIdx.x, q = t / SPAN * OWN;
    REAL sums[OWN];
    for (int first = 0; first < many; first += POINTS) {
        squares(a, base, points + (i64)first * a.p, many - first, z, sums);
        for (int u = 0; u < OWN; ++u) found[q + u][t % SPAN] = sums[u];
        __syncthreads();
        for (int l = 0; l < POINTS && first + l < many && t < SPAN; ++l)
            near[t] = found[l][t] < near[t] ? found[l][t] : near[t];
        __syncthreads();
    }
}

// Takes the newest points into account, then says of each piece of 1024 rows Σ w min(nearest, Σ (x − c)²)
// for each of `many` candidates, which follow the newest; of none Σ w nearest. Blocks: pieces; 256
// threads. Reads each row once for sixteen points.
extern "C" __global__ void NAME(update_min_distance)(NAME(Rows) a, REAL* nearest, const REAL* points, int newest,
                                        int many, double* out) {
    __shared__ REAL z[SPAN][DEPTH + 1];
    __shared__ REAL found[POINTS][SPAN];
    __shared__ REAL near[SPAN];
    __shared__ double w[SPAN];
    const int t = threadIdx.x, q = t / SPAN * OWN, columns = many ? many : 1;
    const i64 start = (i64)blockIdx.x * PIECE;
    for (i64 base = start; base < start + PIECE && base < a.n; base += SPAN) {
        if (t < SPAN) {
            near[t] = base + t < a.n ? nearest[base + t] : REAL(0);
            w[t] = base + t < a.n ? weight(a, base + t) : 0.0;
        }
        __syncthreads();
        take(a, base, points, newest, z, found, near);
        if (t < SPAN && base + t < a.n) nearest[base + t] = near[t];
        for (int first = 0; first < columns; first += POINTS) {
            REAL sums[OWN];
            if (many) squares(a, base, points + (i64)(newest + first) * a.p, many - first, z, sums);
            for (int u = 0; u < OWN; ++u) {
                REAL least = near[t % SPAN];
                found[q + u][t % SPAN] = many && sums[u] < least ? sums[u] : least;
            }
            __syncthreads();
            if (t < POINTS && first + t < columns) {
                double sum = 0.0;
                for (int r = 0; r < SPAN; ++r) sum += w[r] * (double)found[t][r];
                double* to = out + (i64)blockIdx.x * columns + first + t;
                *to = base == start ? sum : *to + sum;
            }
            __syncthreads();
        }
    }
}

// w min(nearest, Σ (x − c)²) of rows from `start` on, for the newest points. Blocks: 64 rows; 256 threads.
extern "C" __global__ void NAME(potentials)(NAME(Rows) a, const REAL* nearest, const REAL* points,
                                            int newest, i64 start, double* out) {
    __shared__ REAL z[SPAN][DEPTH + 1];
    __shared__ REAL found[POINTS][SPAN];
    __shared__ REAL near[SPAN];
    const int t = threadIdx.x;
    const i64 base = start + (i64)blockIdx.x * SPAN;
    if (t < SPAN) near[t] = base + t < a.n ? nearest[base + t] : REAL(0);
    __syncthreads();
    take(a, base, points, newest, z, found, near);
    if (t < SPAN && base + t < a.n) out[base + t - start] = weight(a, base + t) * (double)near[t];
}

// ‖x − c‖, row by row, n × k. Blocks: 64 rows, sixteens of points; 256 threads. Reads each row once for
// sixteen points.
extern "C" __global__ void NAME(distances)(NAME(Rows) a, const REAL* points, int k, REAL* out) {
    __shared__ REAL z[SPAN][DEPTH + 1];
    const int t = threadIdx.x, first = blockIdx.y * POINTS, q = first + t / SPAN * OWN;
    const i64 base = (i64)blockIdx.x * SPAN, i = base + t % SPAN;
    REAL sums[OWN];
    squares(a, base, points + (i64)first * a.p, k - first, z, sums);
    for (int u = 0; u < OWN && q + u < k && i < a.n; ++u)
        out[i * k + q + u] = (REAL)sqrt((double)sums[u]);
}
