#include "common.cuh"

#define WIDTH 16    // columns of a tile

// From product.rs: BATCH rows of a tile; EACH targets of a thread of `product`; TARGETS of a block of `scatter`.

// (X − 1 x̄ᵀ) C + b, row by row, or y less that: n × m, in the type of the rows. Without x̄ and b these are
// zero; they and C, p × m, lie anywhere, and steps count numbers. Differences are rounded once, from
// double. Blocks: 64 rows, sixteens of targets; 256 threads. Reads each row once for sixteen targets; of
// C a warp reads one number at a time, for all its rows.
extern "C" __global__ void NAME(product)(NAME(Rows) a, const double* mean, i64 along, const REAL* coef,
                                         i64 row, i64 column, const REAL* intercept, i64 across, int m,
                                         int less, REAL* out) {
    __shared__ REAL z[BATCH][WIDTH + 1];
    const int t = threadIdx.x, r = t % BATCH, first = (blockIdx.y * EACH + t / BATCH) * EACH;
    const i64 base = (i64)blockIdx.x * BATCH, i = base + r;
    REAL sums[EACH];
    for (int k = 0; k < EACH; ++k) sums[k] = REAL(0);
    for (int start = 0; start < a.p; start += WIDTH) {
        for (int e = t; e < BATCH * WIDTH; e += THREADS) {
            int l = a.near ? e / WIDTH : e % BATCH, c = a.near ? e % WIDTH : e / BATCH, j = start + c;
            bool inside = base + l < a.n && j < a.p;
            REAL x = inside ? entry(a, base + l, j) : REAL(0);
            z[l][c] = inside && mean ? (REAL)((double)x - mean[j * along]) : x;
        }
        __syncthreads();
        for (int k = 0; k < EACH; ++k)
            for (int c = 0; c < WIDTH && start + c < a.p && i < a.n && first + k < m; ++c)
                sums[k] += z[r][c] * coef[(start + c) * row + (first + k) * column];
        __syncthreads();
    }
    for (int k = 0; k < EACH && i < a.n && first + k < m; ++k) {
        REAL sum = sums[k] + (intercept ? intercept[(first + k) * across] : REAL(0));
        out[i * m + first + k] = less ? entry(a, i, a.p + first + k) - sum : sum;
    }
}

// b + s zᵀP z of each row, z = x − x̄, in double. P, p × p, and x̄ lie anywhere: steps count numbers.
// Blocks: 64 rows; 256 threads. Reads each row once and once more for sixteen columns of P, mostly from
// cache; of P a warp reads one number at a time, for all its rows.
extern "C" __global__ void NAME(quadratic_form)(NAME(Rows) a, const double* mean, i64 along, const double* matrix,
                                      i64 row, i64 column, double start, double scale, double* out) {
    __shared__ double z[BATCH][WIDTH + 1];
    __shared__ double parts[EACH][BATCH]; // as many threads share a row
    const int t = threadIdx.x, r = t % BATCH, own = t / BATCH * EACH;
    const i64 base = (i64)blockIdx.x * BATCH;
    double total = 0.0;
    for (int first = 0; first < a.p; first += WIDTH) {
        double sums[EACH] = {0.0, 0.0, 0.0, 0.0};
        for (int begin = 0; begin < a.p + WIDTH; begin += WIDTH) { // these columns themselves at the end
            const int from = begin < a.p ? begin : first;
            for (int e = t; e < BATCH * WIDTH; e += THREADS) {
                int l = a.near ? e / WIDTH : e % BATCH, c = a.near ? e % WIDTH : e / BATCH, j = from + c;
                bool inside = base + l < a.n && j < a.p;
                z[l][c] = inside ? (double)entry(a, base + l, j) - mean[j * along] : 0.0;
            }
            __syncthreads();
            for (int k = 0; k < EACH && first + own + k < a.p; ++k) {
                if (begin >= a.p) total += sums[k] * z[r][own + k];
                for (int c = 0; c < WIDTH && begin + c < a.p; ++c)
                    sums[k] += z[r][c] * matrix[(begin + c) * row + (first + own + k) * column];
            }
            __syncthreads();
        }
    }
    parts[t / BATCH][r] = total;
    __syncthreads();
    if (t >= BATCH || base + t >= a.n) return;
    for (int k = 1; k < EACH; ++k) total += parts[k][t];
    out[base + t] = start + scale * total;
}

// Of each chunk Σ w z zᵀV, z = x − x̄, column by column, p × m, V row by row; behind it Σ w ‖z‖². In
// double. Blocks: chunks, fours of directions; 256 threads. Reads each row once from memory and once
// from cache for four directions.
extern "C" __global__ void NAME(scatter)(NAME(Rows) a, i64 size, const double* mean, const double* coef,
                                         int m, double* parts) {
    __shared__ double z[BATCH][WIDTH + 1];
    __shared__ double along[TARGETS][BATCH];
    __shared__ double quarters[4][TARGETS * WIDTH];
    const int t = threadIdx.x, r = t % BATCH, target = blockIdx.y * TARGETS + t / BATCH;
    const int c = t % WIDTH, k = t / WIDTH % TARGETS, quarter = t / (WIDTH * TARGETS);
    const int mine = blockIdx.y * TARGETS + k;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double* out = parts + chunk * ((i64)a.p * m + 1);
    double squares = 0.0;
    for (i64 base = chunk * size; base < end; base += BATCH) {
        const bool there = base + r < end;
        double sum = 0.0, square = 0.0;
        for (int pass = 0; pass < 2; ++pass) {
            for (int column = 0; column < a.p; column += WIDTH) {
                for (int e = t; e < BATCH * WIDTH; e += THREADS) {
                    int row = a.near ? e / WIDTH : e % BATCH, l = a.near ? e % WIDTH : e / BATCH;
                    bool inside = base + row < end && column + l < a.p;
                    double x = inside ? (double)entry(a, base + row, column + l) : 0.0;
                    z[row][l] = inside ? x - mean[column + l] : 0.0;
                }
                __syncthreads();
                if (pass == 0) {
                    for (int l = 0; l < WIDTH && column + l < a.p && there; ++l) {
                        if (target < m) sum += z[r][l] * coef[(i64)(column + l) * m + target];
                        square += z[r][l] * z[r][l];
                    }
                } else {
                    double dot = 0.0;
                    for (int l = quarter * BATCH / 4; l < (quarter + 1) * BATCH / 4; ++l)
                        dot += z[l][c] * along[k][l];
                    quarters[quarter][t % (TARGETS * WIDTH)] = dot;
                }
                __syncthreads();
                if (pass == 1 && quarter == 0 && column + c < a.p && mine < m) {
                    double dot = quarters[0][t] + quarters[1][t] + quarters[2][t] + quarters[3][t];
                    double* to = out + (i64)mine * a.p + column + c;
                    *to = base == chunk * size ? dot : *to + dot;
                }
            }
            if (pass == 0) {
                double w = there ? weight(a, base + r) : 0.0;
                along[t / BATCH][r] = w * sum;
                squares += w * square;
            }
            __syncthreads();
        }
    }
    if (t < BATCH) along[0][t] = squares;
    __syncthreads();
    if (t == 0 && blockIdx.y == 0) {
        squares = 0.0;
        for (int l = 0; l < BATCH; ++l) squares += along[0][l];
        out[(i64)a.p * m] = squares;
    }
}
