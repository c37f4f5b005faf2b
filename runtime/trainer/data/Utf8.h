// UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_UTF8_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_UTF8_H

#include <optional>
#include <string>
#include <string_view>

namespace halfstep {

/// What stands at the start of a text.
struct Utf8Character {
  char32_t code = 0;
  size_t bytes = 0; ///< 0: invalid, or cut off
};

/// The first character of `text`; 0 bytes when there is none, and when the text ends within it, which `cut`
/// then says.
Utf8Character firstCharacter(std::string_view text, bool &cut);

/// All characters; nothing when the text is not UTF-8.
std::optional<std::u32string> fromUtf8(std::string_view text);

/// Appends one character.
void appendUtf8(char32_t code, std::string &text);

std::string toUtf8(std::u32string_view text);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_UTF8_H
