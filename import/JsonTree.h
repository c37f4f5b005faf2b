// JSON text as a tree whose members know their line and column, for diagnostics and MLIR locations.
#ifndef HALFSTEP_IMPORT_JSONTREE_H
#define HALFSTEP_IMPORT_JSONTREE_H

#include "import/Graph.h"

#include <string>
#include <vector>

namespace halfstep {

struct JsonMember;

/// A JSON value. Typed accessors throw BadInput that names the place, what was found and what was expected.
class JsonValue {
public:
  enum class Kind { Null, Boolean, Integer, Number, String, Array, Object };

  Kind kind = Kind::Null;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0; ///< set for integers too
  std::string text;
  std::vector<JsonValue> items;
  std::vector<JsonMember> members;
  Place place; ///< of the value; for a scalar, of its key or of the array it is in

  /// The member `key`, or null.
  const JsonValue *find(const std::string &key) const;
  /// The member `key`; BadInput when it is missing.
  const JsonValue &at(const std::string &key) const;

  bool asBoolean() const;
  int64_t asInteger(int64_t least, int64_t most) const;
  double asNumber() const;
  const std::string &asString() const;
  const std::vector<JsonValue> &asArray() const;
  const JsonValue &asObject() const;

  /// BadInput at a member whose key is not listed.
  void allowKeys(const std::vector<std::string> &keys) const;
  /// "an object", "the string 'x'", ...
  std::string describe() const;
};

struct JsonMember {
  std::string key;
  JsonValue value;
};

/// Parses `text`. Refuses (BadInput) wrong syntax, duplicate keys, numbers that are no finite double or no
/// int64, nesting deeper than 64 and bytes after the value. `file` is for messages.
JsonValue parseJson(const std::string &text, const std::string &file);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_JSONTREE_H
