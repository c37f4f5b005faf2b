// f32 and f64 arithmetic, all correctly rounded, without contraction or flushing. Meanings after the PTX ISA
// description, chapter 9.7.3. Approximate instructions are not here: generated code has none, so they are
// refused.
#include "HalfFormats.h"
#include "Lanewise.h"

#include <bit>
#include <cmath>

namespace halfstep::emulator {
namespace {

/// f64 results keep a payload, which no kernel looks at.
double canonical(double value) { return value; }
using emulator::canonical;

/// -0 is less than +0 here.
template <typename T>
bool isLess(T a, T b) {
  return a < b || (a == b && std::signbit(a) && !std::signbit(b));
}
template <typename T>
T minimum(T a, T b) {
  return a != a ? canonical(b) : b != b ? a : isLess(b, a) ? b : a;
}
template <typename T>
T maximum(T a, T b) {
  return a != a ? canonical(b) : b != b ? a : isLess(a, b) ? b : a;
}

template <typename T>
void addArithmetic(LaneOps &ops, const std::string &type) {
  for (const std::string rounding : {"", "rn."}) {
    ops["add." + rounding + type] = lanewise<[](T a, T b) { return canonical(a + b); }>();
    ops["sub." + rounding + type] = lanewise<[](T a, T b) { return canonical(a - b); }>();
    ops["mul." + rounding + type] = lanewise<[](T a, T b) { return canonical(a * b); }>();
  }
  ops["div.rn." + type] = lanewise<[](T a, T b) { return canonical(a / b); }>();
  ops["rcp.rn." + type] = lanewise<[](T a) { return canonical(T(1) / a); }>();
  ops["sqrt.rn." + type] = lanewise<[](T a) { return canonical(std::sqrt(a)); }>();
  ops["fma.rn." + type] = lanewise<[](T a, T b, T c) { return canonical(std::fma(a, b, c)); }>();
  ops["neg." + type] = lanewise<[](T a) { return -a; }>();
  ops["abs." + type] = lanewise<[](T a) { return std::fabs(a); }>();
  ops["min." + type] = lanewise<[](T a, T b) { return minimum(a, b); }>();
  ops["max." + type] = lanewise<[](T a, T b) { return maximum(a, b); }>();
  ops["copysign." + type] = lanewise<[](T a, T b) { return std::copysign(b, a); }>();
}

const float kNan = std::bit_cast<float>(0x7FFFFFFF);

void addNanPropagating(LaneOps &ops) {
  ops["min.NaN.f32"] = lanewise<[](float a, float b) { return a != a || b != b ? kNan : minimum(a, b); }>();
  ops["max.NaN.f32"] = lanewise<[](float a, float b) { return a != a || b != b ? kNan : maximum(a, b); }>();
}

void addClasses(LaneOps &ops) {
  ops["testp.finite.f32"] = lanewise<[](float a) { return bool(std::isfinite(a)); }>();
  ops["testp.infinite.f32"] = lanewise<[](float a) { return bool(std::isinf(a)); }>();
  ops["testp.notanumber.f32"] = lanewise<[](float a) { return a != a; }>();
  ops["testp.finite.f64"] = lanewise<[](double a) { return bool(std::isfinite(a)); }>();
  ops["testp.infinite.f64"] = lanewise<[](double a) { return bool(std::isinf(a)); }>();
  ops["testp.notanumber.f64"] = lanewise<[](double a) { return a != a; }>();
}

} // namespace

void addFloatOps(LaneOps &ops) {
  addArithmetic<float>(ops, "f32");
  addArithmetic<double>(ops, "f64");
  addNanPropagating(ops);
  addClasses(ops);
}

} // namespace halfstep::emulator
