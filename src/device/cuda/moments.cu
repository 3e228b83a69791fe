#include "common.cuh"

// Moments of the columns of [x y], q = p + m. Rows are cut in chunks; each chunk is centred on a
// place of its own near its mean, so nothing is lost far from the origin, and chunks are moved to
// common means (Chan, Golub, LeVeque 1983). Every sum has one order: the same bits in every run.

// From moments.rs: SIDE rows and columns of a tile of `columns`; PANEL columns of a tile of `products`; BATCH
// rows of a tile of `residual`, with TARGETS targets, and of `triangle`.
#define FIRST 64    // rows whose mean is the origin
#define LANES 8     // threads that share a column of `columns`
#define DEPTH 16    // rows of a tile of `products`
#define OWN 4       // products of a thread there, each way
#define STRIDE (PANEL + 4)
#define FLUSH 64    // rows whose products are summed in the type they have
#define WIDTH 16    // columns of a tile of `residual`

// A place near the rows that REAL can hold: the mean of the first ones that weigh something.
// One block of 256. Reads 64 rows, and of weights those before.
extern "C" __global__ void NAME(origin)(NAME(Rows) a, double* origin) {
    __shared__ i64 found[THREADS];
    __shared__ i64 start;
    const int t = threadIdx.x;
    if (t == 0) start = a.n;
    __syncthreads();
    for (i64 base = 0; base < a.n && start == a.n; base += THREADS) {
        i64 i = base + t;
        found[t] = i < a.n && weight(a, i) > 0.0 ? i : a.n;
        __syncthreads();
        if (t == 0)
            for (int k = 255; k >= 0; --k)
                if (found[k] < a.n) start = found[k];
        __syncthreads();
    }
    const i64 from = start < a.n ? start : 0;
    const i64 end = from + FIRST < a.n ? from + FIRST : a.n;
    const bool plain = start == a.n;
    double total = 0.0;
    for (i64 i = from; i < end; ++i) total += plain ? 1.0 : weight(a, i);
    for (int j = t; j < a.p + a.m; j += THREADS) {
        double mean = 0.0;
        for (i64 i = from; i < end; ++i)
            mean += (double)entry(a, i, j) * ((plain ? 1.0 : weight(a, i)) / total);
        origin[j] = (double)(REAL)mean;
    }
}

// One tile: SIDE rows from `base`, columns from `column`, as doubles, and the weights of the rows.
static __device__ void tile(const NAME(Rows) & a, i64 base, i64 end, int column,
                            REAL (*z)[SIDE + 1], double* w) {
    const int t = threadIdx.x, q = a.p + a.m;
    for (int e = t; e < SIDE * SIDE; e += SIDE * LANES) {
        int r = a.near ? e / SIDE : e % SIDE, c = a.near ? e % SIDE : e / SIDE;
        bool inside = base + r < end && column + c < q;
        z[r][c] = inside ? entry(a, base + r, column + c) : REAL(0);
    }
    if (t < SIDE) w[t] = base + t < end ? weight(a, base + t) : 0.0;
}

// Of each chunk and column: what the chunk weighs, a place near its mean that REAL can hold, and
// around that Σ w d and Σ w d²; where there is room, `most`, of rows that weigh something the largest −x,
// then the largest x. Blocks: chunks, panels of 32 columns; 256 threads. Reads each row once from
// memory and once from cache.
extern "C" __global__ void NAME(columns)(NAME(Rows) a, i64 size, const double* origin,
                                         double* weights, double* centers, double* sums,
                                         double* squares, double* most) {
    __shared__ REAL z[SIDE][SIDE + 1];
    __shared__ double w[SIDE];
    __shared__ double parts[2][LANES][SIDE];
    __shared__ double ends[2][LANES][SIDE];
    const int c = threadIdx.x % SIDE, lane = threadIdx.x / SIDE, q = a.p + a.m;
    const int column = blockIdx.y * SIDE, j = column + c;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double place = j < q ? origin[j] : 0.0, low = -infinite(), high = -infinite();
    for (int pass = 0; pass < 2; ++pass) {
        double first = 0.0, second = 0.0;
        for (i64 base = chunk * size; base < end; base += SIDE) {
            tile(a, base, end, column, z, w);
            __syncthreads();
            for (int r = lane; r < SIDE; r += LANES)
                if (base + r < end) {
                    double d = (double)z[r][c] - place;
                    first += w[r] * d;
                    second += pass == 0 ? w[r] : w[r] * d * d;
                    if (pass == 0 && w[r] > 0.0) {
                        low = fmax(low, -(double)z[r][c]);
                        high = fmax(high, (double)z[r][c]);
                    }
                }
            __syncthreads();
        }
        parts[0][lane][c] = first;
        parts[1][lane][c] = second;
        ends[0][lane][c] = low;
        ends[1][lane][c] = high;
        __syncthreads();
        first = second = 0.0;
        for (int k = 0; k < LANES; ++k) {
            first += parts[0][k][c];
            second += parts[1][k][c];
            low = fmax(low, ends[0][k][c]);
            high = fmax(high, ends[1][k][c]);
        }
        __syncthreads();
        if (pass == 0) {
            if (second > 0.0) place = (double)(REAL)(place + first / second);
            if (lane == 0 && j == 0) weights[chunk] = second;
            if (lane == 0 && j < q) centers[chunk * q + j] = place;
            if (most && lane == 0 && j < q) {
                most[chunk * 2 * q + j] = low;
                most[chunk * 2 * q + q + j] = high;
            }
        } else if (lane == 0 && j < q) {
            sums[chunk * q + j] = first;
            squares[chunk * q + j] = second;
        }
    }
}

// The mean of a chunk less the origin.
static __device__ __forceinline__ double way(const double* centers, const double* sums,
                                             const double* origin, double weight, i64 chunk, int q,
                                             int j) {
    return centers[chunk * q + j] - origin[j] + sums[chunk * q + j] / weight;
}

// Joint weight, means less the origin, and the diagonal of S. A thread a column.
extern "C" __global__ void NAME(means)(int q, i64 chunks, const double* origin,
                                       const double* weights, const double* centers,
                                       const double* sums, const double* squares, double* total,
                                       double* mean, double* spread) {
    const int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j >= q) return;
    double all = 0.0, at = 0.0, s = 0.0;
    for (i64 c = 0; c < chunks; ++c)
        if (weights[c] > 0.0) {
            all += weights[c];
            at += (way(centers, sums, origin, weights[c], c, q, j) - at) * (weights[c] / all);
        }
    for (i64 c = 0; c < chunks; ++c) {
        if (weights[c] > 0.0) {
            double off = sums[c * q + j], step = way(centers, sums, origin, weights[c], c, q, j) - at;
            s += squares[c * q + j] - off * (off / weights[c]) + weights[c] * step * step;
        } else {
            s += squares[c * q + j];  // zero, unless a row is not finite
            at += sums[c * q + j];
        }
    }
    if (j == 0) *total = all;
    mean[j] = at;
    spread[j] = s;
}

// Panels (i, j), j ≤ i, in the order (0, 0), (1, 0), (1, 1), ….
static __device__ __forceinline__ void pair(int at, int& i, int& j) {
    for (i = 0; at > i; ++i) at -= i + 1;
    j = at;
}

template <typename A>
static __device__ void products_of(const NAME(Rows) & a, i64 size, const double* centers,
                                   double* parts) {
    __shared__ A left[DEPTH][STRIDE];
    __shared__ A right[DEPTH][STRIDE];
    const int t = threadIdx.x, tx = t % (PANEL / OWN), ty = t / (PANEL / OWN), q = a.p + a.m;
    const i64 chunk = blockIdx.y, end = end_of(a, chunk, size);
    int i, j;
    pair(blockIdx.x, i, j);
    double sums[OWN][OWN];
    A own[OWN][OWN];
    for (int r = 0; r < OWN; ++r)
        for (int c = 0; c < OWN; ++c) sums[r][c] = own[r][c] = A(0);
    for (i64 base = chunk * size; base < end; base += DEPTH) {
        for (int e = t; e < DEPTH * PANEL; e += THREADS) {
            int r = a.near ? e / PANEL : e % DEPTH, c = a.near ? e % PANEL : e / DEPTH;
            int u = i * PANEL + c, v = j * PANEL + c;
            bool inside = base + r < end;
            A du = 0, dv = 0;
            if (inside && u < q)
                du = (A)entry(a, base + r, u) - (centers ? (A)centers[chunk * q + u] : A(0));
            if (inside && v < q)
                dv = (A)entry(a, base + r, v) - (centers ? (A)centers[chunk * q + v] : A(0));
            left[r][c] = du;
            right[r][c] = inside ? dv * (A)weight(a, base + r) : A(0);
        }
        __syncthreads();
        for (int k = 0; k < DEPTH; ++k)
            for (int r = 0; r < OWN; ++r)
                for (int c = 0; c < OWN; ++c)
                    own[r][c] += left[k][ty * OWN + r] * right[k][tx * OWN + c];
        __syncthreads();
        if ((base / DEPTH + 1) % (FLUSH / DEPTH) == 0 || base + DEPTH >= end)
            for (int r = 0; r < OWN; ++r)
                for (int c = 0; c < OWN; ++c) {
                    sums[r][c] += own[r][c];
                    own[r][c] = A(0);
                }
    }
    double* out = parts + (chunk * gridDim.x + blockIdx.x) * PANEL * PANEL;
    for (int r = 0; r < OWN; ++r)
        for (int c = 0; c < OWN; ++c) out[(ty * OWN + r) * PANEL + tx * OWN + c] = sums[r][c];
}

// Σ w d dᵀ of each chunk around its place, or around zero: tiles of 64 × 64 on and below the
// diagonal. Blocks: pairs of panels, chunks; 256 threads. Reads each row q / 64 times, mostly from
// cache; writes 32 KiB a block. Products in the type of the rows, then in double.
extern "C" __global__ void NAME(products)(NAME(Rows) a, i64 size, const double* centers,
                                          double* parts) {
    products_of<REAL>(a, size, centers, parts);
}

// The same, products in double.
extern "C" __global__ void NAME(products_exact)(NAME(Rows) a, i64 size, const double* centers,
                                                double* parts) {
    products_of<double>(a, size, centers, parts);
}

// S, the lower triangle row by row, of the tiles of all chunks; around the joint means where there are
// centers. A thread an entry.
extern "C" __global__ void NAME(joined)(int q, i64 chunks, int pairs, const double* origin,
                                        const double* weights, const double* centers,
                                        const double* sums, const double* mean,
                                        const double* parts, double* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (i64)q * (q + 1) / 2) return;
    int i = (int)((sqrt(8.0 * at + 1.0) - 1.0) / 2.0);
    while ((i64)i * (i + 1) / 2 > at) --i;
    while ((i64)(i + 1) * (i + 2) / 2 <= at) ++i;
    const int j = (int)(at - (i64)i * (i + 1) / 2), u = i / PANEL, v = j / PANEL;
    const i64 tile = ((i64)u * (u + 1) / 2 + v) * PANEL * PANEL + i % PANEL * PANEL + j % PANEL;
    double s = 0.0;
    for (i64 c = 0; c < chunks; ++c) {
        s += parts[c * pairs * PANEL * PANEL + tile];
        if (centers && weights[c] > 0.0) {
            double di = sums[c * q + i], dj = sums[c * q + j];
            double si = way(centers, sums, origin, weights[c], c, q, i) - mean[i];
            double sj = way(centers, sums, origin, weights[c], c, q, j) - mean[j];
            s += weights[c] * si * sj - di * (dj / weights[c]);
        }
    }
    out[at] = s;
}

// One tile of x less its mean, in double: BATCH rows, WIDTH columns.
static __device__ void batch(const NAME(Rows) & a, i64 base, i64 end, int column,
                             const double* mean, double (*z)[WIDTH + 1]) {
    for (int e = threadIdx.x; e < BATCH * WIDTH; e += THREADS) {
        int r = a.near ? e / WIDTH : e % BATCH, c = a.near ? e % WIDTH : e / BATCH, j = column + c;
        bool inside = base + r < end && j < a.p;
        z[r][c] = inside ? (double)entry(a, base + r, j) - mean[j] : 0.0;
    }
}

// Of each chunk Σ w (x − x̄) rᵀ, r = y − ȳ − Cᵀ(x − x̄): p × m. Blocks: chunks, fours of targets; 256
// threads. Reads each row once from memory and once from cache for four targets.
extern "C" __global__ void NAME(residual)(NAME(Rows) a, i64 size, const double* mean,
                                          const double* coef, double* parts) {
    __shared__ double z[BATCH][WIDTH + 1];
    __shared__ double rest[TARGETS][BATCH];
    __shared__ double quarters[4][TARGETS * WIDTH];
    const int t = threadIdx.x, r = t % BATCH, target = blockIdx.y * TARGETS + t / BATCH;
    const int c = t % WIDTH, k = t / WIDTH % TARGETS, quarter = t / (WIDTH * TARGETS);
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double* out = parts + chunk * a.p * a.m;
    for (i64 base = chunk * size; base < end; base += BATCH) {
        const bool there = base + r < end && target < a.m;
        double left = there ? (double)entry(a, base + r, a.p + target) - mean[a.p + target] : 0.0;
        for (int column = 0; column < a.p; column += WIDTH) {
            batch(a, base, end, column, mean, z);
            __syncthreads();
            for (int l = 0; l < WIDTH && column + l < a.p && there; ++l)
                left -= z[r][l] * coef[(i64)(column + l) * a.m + target];
            __syncthreads();
        }
        rest[t / BATCH][r] = there ? left * weight(a, base + r) : 0.0;
        for (int column = 0; column < a.p; column += WIDTH) {
            batch(a, base, end, column, mean, z);
            __syncthreads();
            double sum = 0.0;
            for (int l = quarter * BATCH / 4; l < (quarter + 1) * BATCH / 4; ++l)
                sum += z[l][c] * rest[k][l];
            quarters[quarter][t % (TARGETS * WIDTH)] = sum;
            __syncthreads();
            const int mine = blockIdx.y * TARGETS + k;
            if (quarter == 0 && column + c < a.p && mine < a.m) {
                sum += quarters[1][t] + quarters[2][t] + quarters[3][t];
                double* to = out + (i64)(column + c) * a.m + mine;
                *to = base == chunk * size ? sum : *to + sum;
            }
        }
        __syncthreads();
    }
}

// Sums over chunks, in their order. A thread a number.
extern "C" __global__ void NAME(summed)(i64 count, i64 chunks, const double* parts, double* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    double sum = 0.0;
    for (i64 c = 0; c < chunks; ++c) sum += parts[c * count + at];
    out[at] = sum;
}

// The largest over chunks. A thread a number.
extern "C" __global__ void NAME(largest)(i64 count, i64 chunks, const double* parts, double* out) {
    const i64 at = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= count) return;
    double most = -infinite();
    for (i64 c = 0; c < chunks; ++c) most = fmax(most, parts[c * count + at]);
    out[at] = most;
}

// The triangle of each chunk of √w (z − mean), row by row, q × q, by reflections of it and BATCH rows
// at a time (TSQR: Demmel, Grigori, Hoemmen, Langou 2012). `triangles` starts as zeros; `rows` is room
// for BATCH × q a block. Blocks: chunks; 256 threads. Columns are scaled: no square is too large.
extern "C" __global__ void NAME(r_factor)(NAME(Rows) a, i64 size, const double* mean,
                                          double* triangles, double* rows) {
    __shared__ double v[BATCH];
    __shared__ double top, share;
    const int t = threadIdx.x, q = a.p + a.m;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double* R = triangles + chunk * q * q;
    double* z = rows + chunk * BATCH * q;
    for (i64 base = chunk * size; base < end; base += BATCH) {
        for (i64 e = t; e < (i64)BATCH * q; e += THREADS) {
            int r = a.near ? e / q : e % BATCH, j = a.near ? e % q : e / BATCH;
            bool inside = base + r < end;
            double d = inside ? (double)entry(a, base + r, j) - mean[j] : 0.0;
            z[(i64)r * q + j] = inside ? d * sqrt(weight(a, base + r)) : 0.0;
        }
        __syncthreads();
        for (int k = 0; k < q; ++k) {
            if (t < BATCH) v[t] = z[(i64)t * q + k];
            __syncthreads();
            if (t == 0) {
                double head = R[(i64)k * q + k], scale = fabs(head), square = 0.0;
                for (int r = 0; r < BATCH; ++r) scale = v[r] != v[r] ? v[r] : fmax(scale, fabs(v[r]));
                share = 0.0;
                if (scale != 0.0) {
                    for (int r = 0; r < BATCH; ++r) {
                        v[r] /= scale;
                        square += v[r] * v[r];
                    }
                    head /= scale;
                    double length = sqrt(head * head + square);
                    double turned = head > 0.0 ? -length : length;
                    top = head - turned;
                    share = square > 0.0 || square != square ? 2.0 / (top * top + square) : 0.0;
                    if (share != 0.0) R[(i64)k * q + k] = turned * scale;
                }
            }
            __syncthreads();
            for (int j = k + 1 + t; j < q && share != 0.0; j += THREADS) {
                double dot = top * R[(i64)k * q + j];
                for (int r = 0; r < BATCH; ++r) dot += v[r] * z[(i64)r * q + j];
                dot *= share;
                R[(i64)k * q + j] -= dot * top;
                for (int r = 0; r < BATCH; ++r) z[(i64)r * q + j] -= dot * v[r];
            }
            __syncthreads();
        }
    }
}
