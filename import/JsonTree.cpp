// The parser is nlohmann/json's SAX interface; positions come from an iterator that tells how far it has
// read.
#include "import/JsonTree.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace halfstep {
namespace {

constexpr size_t kMaxDepth = 64;

/// Walks over the text and leaves its position where the SAX handler can see it.
class CountingIterator {
public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  CountingIterator(const char *at, const char **seen) : at(at), seen(seen) {}
  reference operator*() const { return *at; }
  CountingIterator &operator++() {
    ++at;
    *seen = at;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator &other) const { return at == other.at; }
  bool operator!=(const CountingIterator &other) const { return at != other.at; }

private:
  const char *at;
  const char **seen;
};

/// Builds the tree from the parser's events. Every handler returns true: errors are thrown.
class TreeBuilder {
public:
  using Json = nlohmann::json;

  TreeBuilder(const std::string &text, const std::string &file, const char **seen)
      : file(file), seen(seen), lineStart(text.data()), counted(text.data()) {}

  JsonValue root;

  bool null() { return add(JsonValue::Kind::Null), true; }
  bool boolean(bool value) { return add(JsonValue::Kind::Boolean).boolean = value, true; }
  bool number_integer(Json::number_integer_t value) { return addInteger(value); }
  bool number_unsigned(Json::number_unsigned_t value) {
    if (value > uint64_t(INT64_MAX))
      currentPlace().badInput("the number " + std::to_string(value) + " is out of range");
    return addInteger(int64_t(value));
  }
  bool number_float(Json::number_float_t value, const std::string &text) {
    if (!std::isfinite(value))
      currentPlace().badInput("the number " + text + " is out of range");
    return add(JsonValue::Kind::Number).number = value, true;
  }
  bool string(std::string &value) { return add(JsonValue::Kind::String).text = std::move(value), true; }
  bool binary(Json::binary_t &) { return false; }

  bool start_object(size_t) { return open(JsonValue::Kind::Object); }
  bool start_array(size_t) { return open(JsonValue::Kind::Array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(std::string &name) {
    JsonValue &object = *stack.back();
    keyPlace = placeOf(openingQuote());
    if (object.find(name))
      keyPlace.badInput("the key '" + name + "' occurs twice");
    object.members.push_back({name, JsonValue()});
    object.members.back().value.place = keyPlace;
    return true;
  }

  bool parse_error(size_t, const std::string &, const Json::exception &error) {
    std::string message = error.what();
    // The library's text begins with its own error number and position; ours stands before it already.
    size_t start = message.find(": ");
    placeOf(*seen).badInput("not valid JSON: " +
                            (start == std::string::npos ? message : message.substr(start + 2)));
  }

private:
  const std::string &file;
  const char **seen;
  const char *lineStart; ///< of the line that `counted` is in
  const char *counted;   ///< newlines before it are counted
  int64_t line = 1;
  Place keyPlace;
  std::vector<JsonValue *> stack;

  /// Positions are asked for in ascending order but for a few characters, so counting is linear over a file.
  Place placeOf(const char *position) {
    for (; counted < position; ++counted)
      if (*counted == '\n') {
        ++line;
        lineStart = counted + 1;
      }
    int64_t column = position >= lineStart ? position - lineStart + 1 : 1;
    return {file, line, column, ""};
  }

  /// Of the string whose closing quote was read last. A string has no raw newline, so it is on this line.
  const char *openingQuote() const {
    const char *quote = *seen - 2;
    auto escaped = [&](const char *at) {
      bool odd = false;
      while (*--at == '\\')
        odd = !odd;
      return odd;
    };
    while (*quote != '"' || escaped(quote))
      --quote;
    return quote;
  }

  Place currentPlace() {
    if (stack.empty())
      return placeOf(*seen - 1);
    return stack.back()->kind == JsonValue::Kind::Object ? keyPlace : stack.back()->place;
  }

  JsonValue &add(JsonValue::Kind kind) {
    Place place = currentPlace();
    JsonValue *value = &root;
    if (!stack.empty() && stack.back()->kind == JsonValue::Kind::Object)
      value = &stack.back()->members.back().value;
    else if (!stack.empty())
      value = &stack.back()->items.emplace_back();
    value->kind = kind;
    value->place = place;
    return *value;
  }

  bool addInteger(int64_t value) {
    JsonValue &added = add(JsonValue::Kind::Integer);
    added.integer = value;
    added.number = double(value);
    return true;
  }

  bool open(JsonValue::Kind kind) {
    Place place = placeOf(*seen - 1);
    if (stack.size() == kMaxDepth)
      place.badInput("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    JsonValue &value = add(kind);
    value.place = place;
    // Growing the parent's vector later is safe: this value is closed before its sibling is added.
    stack.push_back(&value);
    return true;
  }

  bool close() {
    stack.pop_back();
    return true;
  }
};

} // namespace

JsonValue parseJson(const std::string &text, const std::string &file) {
  const char *seen = text.data();
  TreeBuilder builder(text, file, &seen);
  const char *end = text.data() + text.size();
  nlohmann::json::sax_parse(CountingIterator(text.data(), &seen), CountingIterator(end, &seen), &builder);
  return std::move(builder.root);
}

const JsonValue *JsonValue::find(const std::string &key) const {
  for (const auto &[name, value] : members)
    if (name == key)
      return &value;
  return nullptr;
}

const JsonValue &JsonValue::at(const std::string &key) const {
  const JsonValue *value = asObject().find(key);
  if (!value)
    place.badInput("the key '" + key + "' is missing");
  return *value;
}

std::string JsonValue::describe() const {
  switch (kind) {
  case Kind::Null:
    return "null";
  case Kind::Boolean:
    return boolean ? "true" : "false";
  case Kind::Integer:
    return "the number " + std::to_string(integer);
  case Kind::Number:
    return "the number " + nlohmann::json(number).dump();
  case Kind::String:
    return "the string '" + text + "'";
  case Kind::Array:
    return "an array";
  case Kind::Object:
    return "an object";
  }
  return "";
}

bool JsonValue::asBoolean() const {
  if (kind != Kind::Boolean)
    place.badInput("expected true or false, got " + describe());
  return boolean;
}

int64_t JsonValue::asInteger(int64_t least, int64_t most) const {
  if (kind != Kind::Integer || integer < least || integer > most)
    place.badInput("expected a whole number in [" + std::to_string(least) + ", " + std::to_string(most) +
                   "], got " + describe());
  return integer;
}

double JsonValue::asNumber() const {
  if (kind != Kind::Integer && kind != Kind::Number)
    place.badInput("expected a number, got " + describe());
  return number;
}

const std::string &JsonValue::asString() const {
  if (kind != Kind::String)
    place.badInput("expected a string, got " + describe());
  return text;
}

const std::vector<JsonValue> &JsonValue::asArray() const {
  if (kind != Kind::Array)
    place.badInput("expected an array, got " + describe());
  return items;
}

const JsonValue &JsonValue::asObject() const {
  if (kind != Kind::Object)
    place.badInput("expected an object, got " + describe());
  return *this;
}

void JsonValue::allowKeys(const std::vector<std::string> &keys) const {
  for (const auto &[name, value] : asObject().members)
    if (std::find(keys.begin(), keys.end(), name) == keys.end()) {
      std::string known;
      for (const std::string &key : keys)
        known += (known.empty() ? "" : ", ") + key;
      value.place.badInput("unknown key '" + name + "'; known are " + known);
    }
}

} // namespace halfstep
