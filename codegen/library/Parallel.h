// Independent jobs on all cores.
#ifndef HALFSTEP_CODEGEN_LIBRARY_PARALLEL_H
#define HALFSTEP_CODEGEN_LIBRARY_PARALLEL_H

#include <cstddef>
#include <functional>

namespace halfstep {

/// Calls job(0) to job(count - 1), at most as many at once as there are cores, and returns when all have
/// ended. Throws what the first of them, in their order, threw.
void runParallel(size_t count, const std::function<void(size_t)> &job);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_PARALLEL_H
