// The characters that a model for text knows, by id.
#ifndef HALFSTEP_RUNTIME_TRAINER_VOCABULARY_H
#define HALFSTEP_RUNTIME_TRAINER_VOCABULARY_H

#include "runtime/trainer/Manifest.h"

#include <optional>
#include <string>
#include <vector>

namespace halfstep {

/// How many ids a model takes and gives that predicts the next character: one input of ids [N, T], and as
/// many class ids as only target, which may be left out. 0 for other models.
int64_t textIds(const std::vector<TensorSpec> &inputs, const std::vector<TensorSpec> &targets);

/// A model of so many ids takes the bytes of any file and needs no vocabulary.
inline constexpr int64_t byteIds = 256;

class Vocabulary {
public:
  /// The ids are places in `characters`, or, for a model of bytes, the bytes themselves.
  explicit Vocabulary(std::u32string characters);
  static Vocabulary ofBytes();

  size_t size() const { return characters.size(); }
  bool takesBytes() const { return bytes; }

  /// -1: there is no such character.
  int64_t idOf(char32_t character) const { return character < ids.size() ? ids[character] : -1; }

  /// The ids of a text; nothing when it is not UTF-8 or holds another character, which `unknown` then names.
  std::optional<std::vector<int64_t>> encode(const std::string &text, std::string &unknown) const;

  /// The text of one id below size().
  std::string decode(size_t id) const;

private:
  std::u32string characters;
  std::vector<int64_t> ids; ///< by character
  bool bytes = false;
};

/// "'b' (U+0062)".
std::string quotedCharacter(char32_t character);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_VOCABULARY_H
