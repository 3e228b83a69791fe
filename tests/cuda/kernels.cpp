// Every kernel for rows of REAL, on the host.
#include "emulator.h"

#include "../../src/device/cuda/moments.cu"
#undef BATCH
#undef WIDTH
#undef TARGETS
#include "../../src/device/cuda/product.cu"
#undef TARGETS
#undef DEPTH
#undef OWN
#undef LANES
#include "../../src/device/cuda/nearest.cu"
#undef SPAN
#undef DEPTH
#undef OWN
#include "../../src/device/cuda/draw.cu"
#undef BATCH
#undef WIDTH
#undef EACH
#undef ROWS
#include "../../src/device/cuda/link.cu"
#undef BATCH
#include "../../src/device/cuda/factor.cu"
#include "../../src/device/cuda/cast.cu"
#include "../../src/device/cuda/classes.cu"
#undef DEPTH
#undef PANEL
#include "../../src/device/cuda/tensor.cu"
#undef SPAN
#undef DEPTH
#include "../../src/device/cuda/centers.cu"

REGISTER(NAME(origin))
REGISTER(NAME(columns))
REGISTER(NAME(means))
REGISTER(NAME(products))
REGISTER(NAME(products_exact))
REGISTER(NAME(joined))
REGISTER(NAME(residual))
REGISTER(NAME(summed))
REGISTER(NAME(triangle))
REGISTER(NAME(largest))
REGISTER(NAME(product))
REGISTER(NAME(form))
REGISTER(NAME(scatter))
REGISTER(NAME(around))
REGISTER(NAME(pack))
REGISTER(NAME(nearest))
REGISTER(NAME(settle))
REGISTER(NAME(tally))
REGISTER(NAME(inertia))
REGISTER(NAME(apart))
REGISTER(NAME(gather))
REGISTER(NAME(filled))
REGISTER(NAME(erased))
REGISTER(NAME(closer))
REGISTER(NAME(potentials))
REGISTER(NAME(distances))
REGISTER(NAME(link))
REGISTER(NAME(link_few))
REGISTER(NAME(bend))
REGISTER(NAME(divided))
REGISTER(NAME(turned))
REGISTER(NAME(factored))
REGISTER(NAME(assembled))
REGISTER(NAME(cast))
REGISTER(NAME(scaled))
REGISTER(NAME(best))
REGISTER(NAME(shares))
REGISTER(NAME(nearest_tf32))
REGISTER(NAME(nearest_tf32x3))
REGISTER(NAME(products_tf32))
REGISTER(NAME(products_f64))

// What shared memory has that no thread has written: the emulator's own test.
extern "C" __global__ void NAME(unwritten)(REAL* out) {
    __shared__ REAL numbers[4];
    out[blockIdx.x * 4 + threadIdx.x] = numbers[threadIdx.x];
    __syncthreads();
    numbers[threadIdx.x] = 1;
}
REGISTER(NAME(unwritten))
