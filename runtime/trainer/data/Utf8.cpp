// See Utf8.h.
#include "runtime/trainer/data/Utf8.h"

namespace halfstep {

Utf8Character firstCharacter(std::string_view text, bool &cut) {
  cut = false;
  if (text.empty())
    return {};
  unsigned char lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80)
    return {lead, 1};
  size_t length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (length == 0)
    return {};
  char32_t code = lead & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) {
      cut = true;
      return {};
    }
    unsigned char next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80)
      return {};
    code = code << 6 | (next & 0x3f);
  }
  bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  bool surrogate = code >= 0xd800 && code < 0xe000;
  return overlong || surrogate || code > 0x10ffff ? Utf8Character() : Utf8Character{code, length};
}

std::optional<std::u32string> fromUtf8(std::string_view text) {
  std::u32string codes;
  bool cut;
  while (!text.empty()) {
    Utf8Character next = firstCharacter(text, cut);
    if (next.bytes == 0)
      return std::nullopt;
    codes.push_back(next.code);
    text.remove_prefix(next.bytes);
  }
  return codes;
}

void appendUtf8(char32_t code, std::string &text) {
  if (code < 0x80) {
    text += char(code);
    return;
  }
  int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3; // bytes after the first
  constexpr char32_t leads[] = {0, 0xc0, 0xe0, 0xf0};
  text += char(leads[more] | code >> (6 * more));
  while (more-- > 0)
    text += char(0x80 | ((code >> (6 * more)) & 0x3f));
}

std::string toUtf8(std::u32string_view text) {
  std::string bytes;
  for (char32_t code : text)
    appendUtf8(code, bytes);
  return bytes;
}

} // namespace halfstep
