#include "common.cuh"

// Rows and the centre nearest to each: argmax zᵀc − ½‖c‖². Rows are put around a place, z = x − place,
// rounded once. No matrix of rows by centres is made. Every sum has one order.

#define SPAN 64     // rows, and centres, of a tile
#define DEPTH 16    // its columns
#define OWN 4       // rows and centres of a thread
#define LANES 16    // threads that share a row
#define POINTS 16   // points of a tile of distances
#define ROWS 4      // rows that a thread of `tally` has in hand
#define PIECE 1024  // rows whose potentials are summed together
#define TIE 1e-12   // what the order of sums may leave in distances, relative to their terms

static __device__ __forceinline__ REAL put(const NAME(Rows) & a, i64 i, int j, const double* place) {
    return (REAL)((double)entry(a, i, j) - place[j]);
}

// The nearest of k centres of each row; −1 less than minus that where the second best is as near but for
// rounding. `halves` are ½‖c‖². That is by `share` of the terms' size and by `least`. Blocks: 64 rows; 256 threads. Reads each row k / 64 times, mostly from
// cache; writes 4 bytes a row.
extern "C" __global__ void NAME(nearest)(NAME(Rows) a, const double* place, const REAL* centers,
                                         const REAL* halves, int k, double share, double least,
                                         double longest, int* labels) {
    __shared__ REAL left[DEPTH][SPAN + 4];
    __shared__ REAL right[DEPTH][SPAN + 4];
    __shared__ REAL tops[2][SPAN][LANES];
    __shared__ int places[SPAN][LANES];
    const int t = threadIdx.x, tx = t % LANES, ty = t / LANES;
    const i64 base = (i64)blockIdx.x * SPAN;
    REAL best[OWN], second[OWN], square[OWN];
    int at[OWN];
    for (int u = 0; u < OWN; ++u) {
        best[u] = second[u] = (REAL)-infinite();
        square[u] = REAL(0);
        at[u] = 0;
    }
    for (int first = 0; first < k; first += SPAN) {
        REAL sums[OWN][OWN];
        for (int u = 0; u < OWN; ++u)
            for (int v = 0; v < OWN; ++v) sums[u][v] = REAL(0);
        for (int column = 0; column < a.p; column += DEPTH) {
            for (int e = t; e < DEPTH * SPAN; e += 256) {
                int r = a.near ? e / DEPTH : e % SPAN, l = a.near ? e % DEPTH : e / SPAN;
                bool inside = base + r < a.n && column + l < a.p;
                left[l][r] = inside ? put(a, base + r, column + l, place) : REAL(0);
                int c = e / DEPTH, d = e % DEPTH;
                inside = first + c < k && column + d < a.p;
                right[d][c] = inside ? centers[(i64)(first + c) * a.p + column + d] : REAL(0);
            }
            __syncthreads();
            for (int l = 0; l < DEPTH; ++l)
                for (int u = 0; u < OWN; ++u) {
                    REAL z = left[l][ty * OWN + u];
                    if (first == 0) square[u] += z * z;
                    for (int v = 0; v < OWN; ++v) sums[u][v] += z * right[l][tx * OWN + v];
                }
            __syncthreads();
        }
        for (int v = 0; v < OWN; ++v) {
            const int c = first + tx * OWN + v;
            for (int u = 0; u < OWN && c < k; ++u) {
                REAL score = sums[u][v] - halves[c];
                if (score > best[u]) {
                    second[u] = best[u];
                    best[u] = score;
                    at[u] = c;
                } else if (score > second[u]) {
                    second[u] = score;
                }
            }
        }
    }
    for (int u = 0; u < OWN; ++u) {
        tops[0][ty * OWN + u][tx] = best[u];
        tops[1][ty * OWN + u][tx] = second[u];
        places[ty * OWN + u][tx] = at[u];
    }
    __syncthreads();
    for (int u = 0; u < OWN && tx == 0; ++u) {
        const int r = ty * OWN + u;
        if (base + r >= a.n) continue;
        REAL top = best[u], next = second[u];
        int label = at[u];
        for (int l = 1; l < LANES; ++l) {
            REAL other = tops[0][r][l], less = tops[1][r][l];
            bool wins = other > top || (other == top && places[r][l] < label);
            REAL lost = wins ? top : other;
            if (wins) {
                top = other;
                label = places[r][l];
            }
            next = lost > next ? lost : next;
            next = less > next ? less : next;
        }
        const double size = sqrt((double)square[u]) + longest;
        const bool fits = sizeof(REAL) > 4 || size * size < 1e38; // terms, into REAL
        const bool sure = fits && (double)top - (double)next > share * size * size + least;
        labels[base + r] = sure ? label : -1 - label;
    }
}

static __device__ __forceinline__ double warp_sum(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

// The centre of a row by differences in double, and its distance; of equally far ones the first. By a warp.
static __device__ __forceinline__ int settled(const NAME(Rows) & a, i64 i, const double* place,
                                              const double* centers, int k, double longest,
                                              double& best) {
    const int lane = threadIdx.x % 32;
    double square = 0.0;
    for (int j = lane; j < a.p; j += 32) {
        double z = (double)entry(a, i, j) - place[j];
        square += z * z;
    }
    const double size = sqrt(warp_sum(square)) + longest;
    int at = 0;
    best = infinite();
    for (int c = 0; c < k; ++c) {
        double away = 0.0, less = 0.0, apart = 0.0;
        for (int j = lane; j < a.p; j += 32) {
            double z = (double)entry(a, i, j) - place[j];
            double x = centers[(i64)c * a.p + j], y = centers[(i64)at * a.p + j];
            away += (z - x) * (z - x);
            less += (y - x) * ((z - x) + (z - y));
            apart += (y - x) * (y - x);
        }
        away = warp_sum(away);
        less = warp_sum(less);
        apart = warp_sum(apart);
        const bool none = best == infinite(), near = away < best + TIE * size * size;
        if (near && (none || less < -TIE * sqrt(apart) * size)) {
            best = away;
            at = c;
        }
    }
    return at;
}

// Rows that are marked again, by differences in double; the first of centres that are equally far. Says
// where no distance is finite. A warp for 32 rows, of which it looks at one after the other.
extern "C" __global__ void NAME(settle)(NAME(Rows) a, const double* place, const double* centers, int k,
                                        double longest, int* labels, int* wrong) {
    const int lane = threadIdx.x % 32, warps = blockDim.x / 32 * 32;
    const i64 first = (i64)blockIdx.x * warps + threadIdx.x / 32 * 32;
    for (i64 base = first; base < a.n; base += (i64)gridDim.x * warps) {
        const bool marked = base + lane < a.n && labels[base + lane] < 0;
        for (unsigned left = __ballot_sync(0xffffffffu, marked); left; left &= left - 1) {
            const i64 i = base + __ffs((int)left) - 1;
            double best;
            const int at = settled(a, i, place, centers, k, longest, best);
            if (lane > 0) continue;
            labels[i] = at;
            if (!(best < infinite())) *wrong = 1;
        }
    }
}

// What centres have, by chunks: Σ w z, k × p; Σ w and numbers of rows, k each; how many rows had another
// centre before. Of these alone, and less what their centres before have lost, unless `all` are asked for.
// `parts` starts as zeros; a number there is added to by one thread alone, so in the order of rows. Threads:
// `width`, whole warps, share a chunk, chunks one after the other; in blocks. Reads 8 bytes of each row, and
// those rows once.
extern "C" __global__ void NAME(tally)(NAME(Rows) a, i64 size, i64 chunks, int width, const double* place,
                                       const int* labels, const int* before, int all, int k,
                                       double* parts) {
    const int t = threadIdx.x % width, lane = threadIdx.x % 32;
    const i64 chunk = (i64)blockIdx.x * (blockDim.x / width) + threadIdx.x / width;
    if (chunk >= chunks) return;
    const i64 numbers = (i64)k * (a.p + 2) + 1, end = end_of(a, chunk, size);
    double *sums = parts + chunk * numbers, *weights = sums + (i64)k * a.p, changed = 0.0;
    for (i64 base = chunk * size; base < end; base += 32) {
        const bool inside = base + lane < end;
        const int label = inside ? labels[base + lane] : 0, old = inside ? before[base + lane] : 0;
        const bool moves = inside && (all || label != old);
        const double w = moves ? weight(a, base + lane) : 0.0;
        if (moves) changed += old != label;
        for (unsigned left = __ballot_sync(0xffffffffu, moves); left;) {
            int row[ROWS], to[ROWS], from[ROWS];
            double by[ROWS];
#pragma unroll
            for (int g = 0; g < ROWS; ++g) { // after the last row there is none
                row[g] = left ? __ffs((int)left) - 1 : -1;
                left &= left - 1;
                to[g] = __shfl_sync(0xffffffffu, label, row[g] & 31);
                from[g] = __shfl_sync(0xffffffffu, old, row[g] & 31);
                by[g] = __shfl_sync(0xffffffffu, w, row[g] & 31);
            }
            for (int j = t; j < a.p; j += width) {
                double z[ROWS];
#pragma unroll
                for (int g = 0; g < ROWS; ++g)
                    z[g] = row[g] < 0 ? 0.0 : by[g] * (double)put(a, base + row[g], j, place);
#pragma unroll
                for (int g = 0; g < ROWS; ++g) {
                    if (row[g] < 0) continue;
                    atomicAdd(&sums[(i64)to[g] * a.p + j], z[g]);
                    if (!all && from[g] >= 0) atomicAdd(&sums[(i64)from[g] * a.p + j], -z[g]);
                }
            }
            for (int g = 0; g < ROWS && t == 0; ++g) {
                if (row[g] < 0) continue;
                atomicAdd(&weights[to[g]], by[g]);
                atomicAdd(&weights[k + to[g]], 1.0);
                if (all || from[g] < 0) continue;
                atomicAdd(&weights[from[g]], -by[g]);
                atomicAdd(&weights[k + from[g]], -1.0);
            }
        }
    }
    changed = warp_sum(changed);
    if (t == 0) sums[numbers - 1] = changed;
}

// Σ w ‖z − c‖² of rows and their centres, by chunks. Blocks: chunks; 256 threads, of which `width` share a
// row. Reads each row once.
extern "C" __global__ void NAME(inertia)(NAME(Rows) a, i64 size, int width, const double* place,
                                         const double* centers, const int* labels, double* parts) {
    __shared__ double all[256];
    const int t = threadIdx.x, j0 = t % width, rows = 256 / width;
    const i64 chunk = blockIdx.x, end = end_of(a, chunk, size);
    double sum = 0.0;
    for (i64 i = chunk * size + t / width; i < end && t < rows * width; i += rows) {
        const double w = weight(a, i);
        for (int j = j0; j < a.p; j += width) {
            double d = (double)put(a, i, j, place) - centers[(i64)labels[i] * a.p + j];
            sum += w * (d * d);
        }
    }
    all[t] = sum;
    __syncthreads();
    if (t) return;
    for (int l = 1; l < 256; ++l) sum += all[l];
    parts[chunk] = sum;
}

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

// A row, and its weight. A thread a column.
extern "C" __global__ void NAME(gather)(NAME(Rows) a, i64 i, double* out) {
    const int j = blockIdx.x * blockDim.x + threadIdx.x;
    if (j < a.p) out[j] = (double)entry(a, i, j);
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
        for (int e = t; e < SPAN * DEPTH; e += 256) {
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
extern "C" __global__ void NAME(closer)(NAME(Rows) a, REAL* nearest, const REAL* points, int newest,
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

// w min(nearest, Σ (x − c)²) of the rows of one piece, for the newest points. Blocks: 64 rows; 256 threads.
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
