#include "common.cuh"

// Rows and the centre nearest to each: argmax zᵀc − ½‖c‖². Rows are put around a place, z = x − place,
// rounded once. No matrix of rows by centres is made. Every sum has one order.

// From centers.rs: SPAN rows, and centres, of a tile; TIE, what the order of sums may leave in distances,
// relative to their terms.
#define DEPTH 16    // columns of a tile
#define OWN 4       // rows and centres of a thread
#define LANES 16    // threads that share a row
#define ROWS 4      // rows that a thread of `tally` has in hand

static __device__ __forceinline__ REAL put(const NAME(Rows) & a, i64 i, int j, const double* place) {
    return (REAL)((double)entry(a, i, j) - place[j]);
}

static __device__ __forceinline__ double warp_sum(double x) {
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
    return x;
}

// A place near k centres, which is their mean, and centres around it, row by row. They lie anywhere: steps
// count numbers. A warp a column.
extern "C" __global__ void NAME(pack_centers)(const double* centers, i64 row, i64 column, int k, int p,
                                        double* place, double* exact) {
    const int lane = threadIdx.x % 32, j = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (j >= p) return;
    double sum = 0.0;
    for (int c = lane; c < k; c += 32) sum += centers[c * row + j * column];
    const double at = warp_sum(sum) / k;
    for (int c = lane; c < k; c += 32) exact[(i64)c * p + j] = centers[c * row + j * column] - at;
    if (lane == 0) place[j] = at;
}

template <typename N>
static __device__ __forceinline__ void packed(const double* center, int p, int wide, N* to) {
    for (int j = threadIdx.x % 32; j < wide; j += 32) to[j] = j < p ? (N)center[j] : N(0);
}

// k centres as they are compared: in the type of the rows, or as floats, and ½‖c‖². In tiles: zeros beyond
// p up to `wide`, infinite halves beyond k up to `high`. And the largest ‖c‖, which begins as zero: of
// numbers that are not negative the bits are in their order. A warp a centre.
extern "C" __global__ void NAME(pack)(const double* centers, int k, int p, int high, int wide, int floats,
                                      void* tiles, void* halves, unsigned long long* longest) {
    const int lane = threadIdx.x % 32, c = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    if (c >= high) return;
    const double* center = centers + (i64)c * p;
    const int width = c < k ? p : 0;
    double square = 0.0;
    for (int j = lane; j < width; j += 32) square += center[j] * center[j];
    square = warp_sum(square);
    const double half = c < k ? 0.5 * square : infinite();
    if (floats) {
        packed(center, width, wide, (float*)tiles + (i64)c * wide);
        if (lane == 0) ((float*)halves)[c] = (float)half;
    } else {
        packed(center, width, wide, (REAL*)tiles + (i64)c * wide);
        if (lane == 0) ((REAL*)halves)[c] = (REAL)half;
    }
    union { double x; unsigned long long bits; } length;
    length.x = sqrt(square);
    if (lane == 0 && c < k) atomicMax(longest, length.bits);
}

// The nearest of k centres of each row; −1 less than minus that where the second best is as near but for
// rounding: by `share` of the terms' size and by `least`. `halves` are ½‖c‖². Blocks: 64 rows; 256
// threads. Reads each row k / 64 times, mostly from cache; writes 4 bytes a row.
extern "C" __global__ void NAME(nearest)(NAME(Rows) a, const double* place, const REAL* centers,
                                         const REAL* halves, int k, double share, double least,
                                         const double* longest, int* labels) {
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
            for (int e = t; e < DEPTH * SPAN; e += THREADS) {
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
        const double size = sqrt((double)square[u]) + *longest;
        const bool fits = sizeof(REAL) > 4 || size * size < 1e38; // terms, into REAL
        const bool sure = fits && (double)top - (double)next > share * size * size + least;
        labels[base + r] = sure ? label : -1 - label;
    }
}

// The centre of a row by differences in double, and its distance; of equally far ones the first. By a warp.
static __device__ __forceinline__ int nearest_exactly(const NAME(Rows) & a, i64 i, const double* place,
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
extern "C" __global__ void NAME(recheck)(NAME(Rows) a, const double* place, const double* centers, int k,
                                        const double* longest, int* labels, int* wrong) {
    const int lane = threadIdx.x % 32, warps = blockDim.x / 32 * 32;
    const i64 first = (i64)blockIdx.x * warps + threadIdx.x / 32 * 32;
    for (i64 base = first; base < a.n; base += (i64)gridDim.x * warps) {
        const bool marked = base + lane < a.n && labels[base + lane] < 0;
        for (unsigned left = __ballot_sync(0xffffffffu, marked); left; left &= left - 1) {
            const i64 i = base + __ffs((int)left) - 1;
            double best;
            const int at = nearest_exactly(a, i, place, centers, k, *longest, best);
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
extern "C" __global__ void NAME(assign)(NAME(Rows) a, i64 size, i64 chunks, int width, const double* place,
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
    __shared__ double all[THREADS];
    const int t = threadIdx.x, j0 = t % width, rows = THREADS / width;
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
    for (int l = 1; l < THREADS; ++l) sum += all[l];
    parts[chunk] = sum;
}
