// Parameters of a JSON model: owners, sharers and initial values.
#include "import/JsonOps.h"

#include <cmath>

namespace halfstep {

void JsonParameters::needShape(const Parameter &known, const Shape &shape, const Place &place) const {
  if (known.shape != shape)
    place.badInput("the shared parameter '" + known.name + "' has shape " + toString(known.shape) +
                   ", expected " + toString(shape));
}

void JsonParameters::own(Parameter parameter) {
  auto early = withoutOwner.find(parameter.name);
  if (early == withoutOwner.end()) {
    graph.addParameter(std::move(parameter));
    return;
  }
  Parameter &known = *graph.findParameter(parameter.name);
  needShape(known, parameter.shape, parameter.place);
  known = std::move(parameter);
  withoutOwner.erase(early);
}

void JsonParameters::share(const std::string &name, const Shape &shape, const Place &place) {
  if (const Parameter *known = graph.findParameter(name)) {
    if (known->buffer)
      place.badInput("'" + name + "' is a buffer and cannot be shared");
    needShape(*known, shape, place);
    return;
  }
  Parameter parameter;
  parameter.name = name;
  parameter.shape = shape;
  parameter.place = place;
  graph.addParameter(std::move(parameter));
  withoutOwner.emplace(name, place);
}

void JsonParameters::finish() const {
  for (const auto &[name, place] : withoutOwner)
    place.badInput("'params' names '" + name + "', which no node owns");
}

double fanIn(const Shape &shape) {
  double product = 1;
  for (size_t i = 1; i < shape.size(); ++i)
    product *= double(shape[i].size);
  return product;
}

static Init uniform(double bound) { return {Init::Kind::Uniform, -bound, bound, {}}; }

Init readJsonInit(const JsonValue &value, const Shape &shape) {
  const std::string &kind = value.at("kind").asString();
  auto numberOf = [&](const std::string &key, double fallback) {
    const JsonValue *found = value.find(key);
    return found ? found->asNumber() : fallback;
  };
  auto needFans = [&] {
    if (shape.size() < 2)
      value.place.badInput("'" + kind + "' needs two extents or more, the parameter has shape " +
                           toString(shape));
  };
  if (kind == "constant") {
    value.allowKeys({"kind", "value"});
    double constant = value.at("value").asNumber();
    return {Init::Kind::Constant, constant, constant, {}};
  }
  if (kind == "uniform") {
    value.allowKeys({"kind", "low", "high"});
    double low = value.at("low").asNumber(), high = value.at("high").asNumber();
    if (low > high)
      value.place.badInput("'low' is above 'high'");
    return {Init::Kind::Uniform, low, high, {}};
  }
  if (kind == "normal") {
    value.allowKeys({"kind", "mean", "std"});
    if (numberOf("std", 1) < 0)
      value.place.badInput("'std' is below 0");
    return {Init::Kind::Normal, numberOf("mean", 0), numberOf("std", 1), {}};
  }
  if (kind == "kaiming_uniform") {
    value.allowKeys({"kind", "a"});
    needFans();
    double slope = numberOf("a", 0);
    return uniform(std::sqrt(6 / ((1 + slope * slope) * fanIn(shape))));
  }
  if (kind == "xavier_uniform") {
    value.allowKeys({"kind", "gain"});
    needFans();
    double in = fanIn(shape), out = in / double(shape[1].size) * double(shape[0].size);
    return uniform(numberOf("gain", 1) * std::sqrt(6 / (in + out)));
  }
  value.at("kind").place.badInput("unknown init '" + kind +
                                  "'; known are constant, uniform, normal, kaiming_uniform, xavier_uniform");
}

} // namespace halfstep
