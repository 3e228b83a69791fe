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
REGISTER(NAME(scatter))
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
