// Strict reading of hand-written JSON. See SpecReader.h.
#include "import/SpecReader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

using json = nlohmann::json;

namespace halfstep {
namespace {

/// Deeper than any spec by far, and shallow enough for recursive printing.
constexpr int maxDepth = 64;
/// A spec is written by hand; whatever is larger is another file.
constexpr std::uintmax_t maxSpecBytes = 16u << 20;
/// Values in messages are cut to this length.
constexpr size_t maxShown = 60;

std::string shown(const json &value) {
  if (value.is_object())
    return "an object";
  if (value.is_array() && value.size() > 4)
    return "an array of " + std::to_string(value.size());
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return text.size() > maxShown ? text.substr(0, maxShown) + "..." : text;
}

/// nlohmann's message without its library prefix, cut where it quotes the input at length.
std::string syntaxMessage(const json::exception &error) {
  std::string text = error.what();
  if (size_t end = text.find("] "); end != std::string::npos)
    text.erase(0, end + 2);
  constexpr size_t maxMessage = 160;
  return text.size() > maxMessage ? text.substr(0, maxMessage) + "..." : text;
}

/// Levenshtein distance.
size_t editDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

} // namespace

json parseSpecText(const std::string &text, const std::string &file) {
  std::vector<std::set<std::string>> keys;
  auto watch = [&](int depth, json::parse_event_t event, json &value) {
    if (depth > maxDepth)
      throw Diagnostic(ExitCode::BadInput,
                       file + ": nested deeper than " + std::to_string(maxDepth) + " levels");
    if (event == json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == json::parse_event_t::object_end)
      keys.pop_back();
    else if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second)
      throw Diagnostic(ExitCode::BadInput, file + ": key " + shown(value) + " occurs twice in one object");
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception &error) {
    throw Diagnostic(ExitCode::BadInput, file + ": not valid JSON: " + syntaxMessage(error));
  }
}

std::string readSpecFile(const std::string &path) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::file_status status = fs::status(path, error);
  if (!fs::exists(status))
    throw Diagnostic(ExitCode::Io, path + ": no such file");
  if (fs::is_directory(status))
    throw Diagnostic(ExitCode::Io, path + ": is a folder, expected a JSON file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw Diagnostic(ExitCode::Io, path + ": cannot be opened: " + std::strerror(errno));
  std::string text;
  char block[4096];
  while (stream.read(block, sizeof block) || stream.gcount() > 0) {
    text.append(block, size_t(stream.gcount()));
    if (text.size() > maxSpecBytes)
      throw Diagnostic(ExitCode::BadInput,
                       path + ": larger than 16 MiB, which no recipe or precision spec is");
  }
  return text;
}

std::string nearestHint(std::string_view word, const std::vector<std::string> &candidates) {
  // Words much longer than any candidate are near none; this also bounds the work on hostile input.
  constexpr size_t maxWord = 64;
  if (word.size() > maxWord)
    return "";
  std::string best;
  size_t bestDistance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string &candidate : candidates)
    if (size_t distance = editDistance(word, candidate);
        distance < bestDistance && distance < candidate.size()) {
      best = candidate;
      bestDistance = distance;
    }
  return best.empty() ? "" : "; did you mean '" + best + "'?";
}

std::string quotedList(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "'" : ", '") + word + "'";
  return text;
}

SpecReader::SpecReader(const json &value, std::string file, json::json_pointer at)
    : object(value), file(std::move(file)), pointer(std::move(at)) {
  if (!object.is_object())
    throw Diagnostic(ExitCode::BadInput, place() + ": expected an object, got " + shown(object));
}

SpecReader SpecReader::child(const std::string &key) const {
  return SpecReader(object.at(key), file, pointer / key);
}

void SpecReader::allowOnly(const std::vector<std::string> &known) const {
  for (const auto &[key, value] : object.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      fail(ExitCode::BadInput, key,
           "unknown key" + (nearestHint(key, known).empty() ? ", expected one of " + quotedList(known)
                                                            : nearestHint(key, known)));
}

void SpecReader::number(const std::string &key, double &out) const {
  if (!has(key))
    return;
  if (!at(key).is_number())
    expected(key, "a number");
  out = at(key).get<double>();
}

void SpecReader::integer(const std::string &key, int64_t &out) const {
  if (!has(key))
    return;
  bool tooLarge = at(key).is_number_unsigned() && at(key).get<uint64_t>() > uint64_t(INT64_MAX);
  if (!at(key).is_number_integer() || tooLarge)
    expected(key, "an integer");
  out = at(key).get<int64_t>();
}

void SpecReader::unsignedInteger(const std::string &key, uint64_t &out) const {
  if (!has(key))
    return;
  bool negative = at(key).is_number_integer() && !at(key).is_number_unsigned() && at(key).get<int64_t>() < 0;
  if (!at(key).is_number_integer() || negative)
    expected(key, "an integer in [0, 2^64)");
  out = at(key).get<uint64_t>();
}

void SpecReader::boolean(const std::string &key, bool &out) const {
  if (!has(key))
    return;
  if (!at(key).is_boolean())
    expected(key, "true or false");
  out = at(key).get<bool>();
}

void SpecReader::text(const std::string &key, std::string &out) const {
  if (!has(key))
    return;
  if (!at(key).is_string())
    expected(key, "a string");
  out = at(key).get<std::string>();
}

void SpecReader::choice(const std::string &key, std::string &out,
                        const std::vector<std::string> &choices) const {
  std::string value = out;
  text(key, value);
  if (has(key) && std::find(choices.begin(), choices.end(), value) == choices.end())
    expected(key, "one of " + quotedList(choices));
  out = value;
}

void SpecReader::fail(ExitCode code, const std::string &key, const std::string &message) const {
  throw Diagnostic(code, place(key) + ": " + message);
}

void SpecReader::expected(const std::string &key, const std::string &what) const {
  fail(ExitCode::BadInput, key, "expected " + what + ", got " + shown(at(key)));
}

std::string SpecReader::place(const std::string &key) const {
  std::string path = (key.empty() ? pointer : pointer / key).to_string();
  constexpr size_t maxPath = 120;
  if (path.size() > maxPath)
    path = path.substr(0, maxPath) + "...";
  return path.empty() ? file : file + ": " + path;
}

} // namespace halfstep
