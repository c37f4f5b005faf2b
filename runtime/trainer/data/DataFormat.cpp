// See DataFormat.h.
#include "runtime/trainer/data/DataFormat.h"

#include <nlohmann/json.hpp>

using nlohmann::json;

namespace halfstep {

std::string DataFormat::toJson() const {
  json object = json::object();
  if (!target.empty())
    object["target"] = target;
  if (!mean.empty())
    object["mean"] = mean;
  if (!std.empty())
    object["std"] = std;
  if (!vocabulary.empty())
    object["vocabulary"] = vocabulary;
  if (!classes.empty())
    object["classes"] = classes;
  return object.empty() ? "" : object.dump();
}

bool DataFormat::fromJson(const std::string &text, DataFormat &format) {
  json object = json::parse(text, nullptr, false);
  if (!object.is_object())
    return false;
  try {
    format.target = object.value("target", "");
    format.mean = object.value("mean", std::vector<double>());
    format.std = object.value("std", std::vector<double>());
    format.vocabulary = object.value("vocabulary", "");
    format.classes = object.value("classes", std::vector<std::string>());
    return true;
  } catch (const json::exception &) {
    return false;
  }
}

DataFormat DataFormat::over(const DataFormat &saved) const {
  DataFormat result = *this;
  if (result.target.empty())
    result.target = saved.target;
  if (result.mean.empty())
    result.mean = saved.mean;
  if (result.std.empty())
    result.std = saved.std;
  if (result.vocabulary.empty())
    result.vocabulary = saved.vocabulary;
  if (result.classes.empty())
    result.classes = saved.classes;
  return result;
}

DataFormat formatIn(const std::map<std::string, std::string> &metadata) {
  DataFormat format;
  auto own = metadata.find(dataFormatKey), user = metadata.find("user");
  if (own != metadata.end()) {
    DataFormat::fromJson(own->second, format);
  } else if (user != metadata.end()) {
    json state = json::parse(user->second, nullptr, false);
    if (state.is_object() && state.contains("data") && state["data"].is_string())
      DataFormat::fromJson(state["data"].get<std::string>(), format);
  }
  return format;
}

} // namespace halfstep
