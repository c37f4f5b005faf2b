// See Vocabulary.h.
#include "runtime/trainer/Vocabulary.h"

#include "runtime/trainer/data/Utf8.h"

#include <algorithm>
#include <numeric>

namespace halfstep {

int64_t textIds(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets) {
  if (inputs.size() != 1 || inputs[0].shape.size() != 2 || inputs[0].classes == 0)
    return 0;
  if (targets.empty())
    return inputs[0].classes;
  bool follows =
      targets.size() == 1 && targets[0].classes > 0 && targets[0].sampleCount() == inputs[0].sampleCount();
  return follows ? std::min(inputs[0].classes, targets[0].classes) : 0;
}

Vocabulary::Vocabulary(std::u32string all)
    : characters(std::move(all)),
      ids(characters.empty() ? 0 : size_t(*std::max_element(characters.begin(), characters.end())) + 1, -1) {
  for (size_t id = 0; id < characters.size(); ++id)
    ids[characters[id]] = int64_t(id);
}

Vocabulary Vocabulary::ofBytes() {
  std::u32string all(size_t(byteIds), 0);
  std::iota(all.begin(), all.end(), char32_t(0));
  Vocabulary vocabulary(std::move(all));
  vocabulary.bytes = true;
  return vocabulary;
}

std::optional<std::vector<int64_t>> Vocabulary::encode(const std::string &text, std::string &unknown) const {
  std::vector<int64_t> result;
  if (bytes) {
    for (char c : text)
      result.push_back(static_cast<unsigned char>(c));
    return result;
  }
  std::optional<std::u32string> codes = fromUtf8(text);
  if (!codes) {
    unknown = "what is not UTF-8";
    return std::nullopt;
  }
  for (char32_t code : *codes) {
    if (idOf(code) < 0) {
      unknown = quotedCharacter(code);
      return std::nullopt;
    }
    result.push_back(idOf(code));
  }
  return result;
}

std::string Vocabulary::decode(size_t id) const {
  return bytes ? std::string(1, char(id)) : toUtf8({&characters[id], 1});
}

std::string quotedCharacter(char32_t character) {
  char code[16];
  std::snprintf(code, sizeof code, "U+%04X", unsigned(character));
  bool control = character < 0x20 || character == 0x7f;
  return control ? code : "'" + toUtf8({&character, 1}) + "' (" + code + ")";
}

} // namespace halfstep
