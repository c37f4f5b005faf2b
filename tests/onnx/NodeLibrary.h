// Compiles an assembled model and runs its forward step.
#ifndef HALFSTEP_TESTS_ONNX_NODELIBRARY_H
#define HALFSTEP_TESTS_ONNX_NODELIBRARY_H

#include "NodeCase.h"

namespace halfstep::test {

/// The model's outputs by Assembled::outputs, computed by a library that is compiled for this CPU in
/// `folder`. `model` is in f32, or in f64 for `isDouble`. Throws Diagnostic when it does not compile,
/// std::runtime_error when the library refuses to run.
std::vector<std::vector<double>> runForward(const Assembled &model, bool isDouble, const std::string &folder);

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_ONNX_NODELIBRARY_H
