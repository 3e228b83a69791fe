// Every kernel for rows of REAL, on the host.
#include "emulator.h"

#include "../../src/device/cuda/moments.cu"
#undef BATCH
#undef WIDTH
#undef TARGETS
#include "../../src/device/cuda/product.cu"

REGISTER(NAME(origin))
REGISTER(NAME(columns))
REGISTER(NAME(means))
REGISTER(NAME(products))
REGISTER(NAME(products_exact))
REGISTER(NAME(joined))
REGISTER(NAME(residual))
REGISTER(NAME(summed))
REGISTER(NAME(triangle))
REGISTER(NAME(product))
