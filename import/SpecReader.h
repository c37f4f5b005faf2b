// Reads the JSON that people write by hand, recipes and precision specs: strict, and with the place in every
// error.
#ifndef HALFSTEP_IMPORT_SPECREADER_H
#define HALFSTEP_IMPORT_SPECREADER_H

#include "import/Diagnostic.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep {

/// Parses `text`; a syntax error, a duplicate key, or nesting beyond what any spec needs is BadInput. `file`
/// is for messages.
nlohmann::json parseSpecText(const std::string &text, const std::string &file);

/// The whole of a file. Io when it cannot be read or is a folder, BadInput when it is too large to be a spec.
std::string readSpecFile(const std::string &path);

/// The candidate nearest to `word` as "; did you mean 'momentum'?", or an empty string when none is near.
std::string nearestHint(std::string_view word, const std::vector<std::string> &candidates);

/// "'a', 'b', 'c'".
std::string quotedList(const std::vector<std::string> &words);

/// One JSON object of a spec. Every getter leaves its target alone when the key is absent, and throws
/// BadInput "FILE: /json/pointer: expected X, got Y" when the value has another type.
class SpecReader {
public:
  /// `value` must be an object and outlive the reader.
  SpecReader(const nlohmann::json &value, std::string file,
             nlohmann::json::json_pointer at = nlohmann::json::json_pointer());

  bool has(const std::string &key) const { return object.contains(key); }
  const nlohmann::json &at(const std::string &key) const { return object.at(key); }
  SpecReader child(const std::string &key) const;

  /// BadInput at the first key that is not in `known`, with the nearest known one.
  void allowOnly(const std::vector<std::string> &known) const;

  void number(const std::string &key, double &out) const;
  void integer(const std::string &key, int64_t &out) const;
  void unsignedInteger(const std::string &key, uint64_t &out) const;
  void boolean(const std::string &key, bool &out) const;
  void text(const std::string &key, std::string &out) const;
  /// A string out of `choices`.
  void choice(const std::string &key, std::string &out, const std::vector<std::string> &choices) const;

  [[noreturn]] void fail(ExitCode code, const std::string &key, const std::string &message) const;
  [[noreturn]] void expected(const std::string &key, const std::string &what) const;

  /// "FILE: /json/pointer", of this object or of one of its keys.
  std::string place(const std::string &key = "") const;
  const std::string &fileName() const { return file; }

private:
  const nlohmann::json &object;
  std::string file;
  nlohmann::json::json_pointer pointer;
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_SPECREADER_H
