// NVIDIA's assembler, where it is installed.
#ifndef HALFSTEP_CODEGEN_LIBRARY_ASSEMBLER_H
#define HALFSTEP_CODEGEN_LIBRARY_ASSEMBLER_H

#include <optional>
#include <string>

namespace halfstep {

/// The path of ptxas: of the environment's HALFSTEP_PTXAS, on PATH, or in /usr/local/cuda; none where it is
/// not.
std::optional<std::string> findPtxas();

/// What ptxas makes of a module for an architecture.
struct Assembly {
  std::string cubin;
  std::string log; ///< registers, spills and shared memory, a paragraph a kernel
};

/// Internal, with ptxas's message, when it refuses; Io when it cannot be run.
Assembly assemble(const std::string &ptxas, const std::string &ptx, int architecture);

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_ASSEMBLER_H
