// Every kernel for rows of REAL, on the host. What launches know as well is in the header before each file, which
// comes from Rust (see build.sh).
#include "emulator.h"

#include "moments.h"
#include "../../src/device/cuda/moments.cu"
#undef WIDTH
#include "product.h"
#include "../../src/device/cuda/product.cu"
#undef DEPTH
#undef OWN
#undef LANES
#include "nearest.h"
#include "../../src/device/cuda/nearest.cu"
#undef DEPTH
#undef OWN
#include "draw.h"
#include "../../src/device/cuda/draw.cu"
#undef WIDTH
#undef EACH
#undef TARGETS
#include "link.h"
#include "../../src/device/cuda/link.cu"
#include "factor.h"
#include "../../src/device/cuda/factor.cu"
#include "cast.h"
#include "../../src/device/cuda/cast.cu"
#include "classes.h"
#include "../../src/device/cuda/classes.cu"
#undef DEPTH
#include "tensor.h"
#include "../../src/device/cuda/tensor.cu"
#include "centers.h"
#include "../../src/device/cuda/centers.cu"

REGISTER(NAME(origin))
REGISTER(NAME(columns))
REGISTER(NAME(means))
REGISTER(NAME(products))
REGISTER(NAME(products_exact))
REGISTER(NAME(joined))
REGISTER(NAME(residual))
REGISTER(NAME(summed))
REGISTER(NAME(r_factor))
REGISTER(NAME(largest))
REGISTER(NAME(product))
REGISTER(NAME(quadratic_form))
REGISTER(NAME(scatter))
REGISTER(NAME(pack_centers))
REGISTER(NAME(pack))
REGISTER(NAME(nearest))
REGISTER(NAME(recheck))
REGISTER(NAME(assign))
REGISTER(NAME(inertia))
REGISTER(NAME(apart))
REGISTER(NAME(gather))
REGISTER(NAME(filled))
REGISTER(NAME(erased))
REGISTER(NAME(update_min_distance))
REGISTER(NAME(potentials))
REGISTER(NAME(distances))
REGISTER(NAME(link))
REGISTER(NAME(link_few))
REGISTER(NAME(hessian_weights))
REGISTER(NAME(divided))
REGISTER(NAME(turned))
REGISTER(NAME(factored))
REGISTER(NAME(assembled))
REGISTER(NAME(cast))
REGISTER(NAME(scaled))
REGISTER(NAME(best))
REGISTER(NAME(probabilities))
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
