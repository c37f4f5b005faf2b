// Names of models as identifiers.
//
// A name is scanned byte by byte. Letters, digits and '_' stand for themselves; every other byte becomes
// "_xHH" with two hex digits, and so does a '_' that is followed by 'x', so that every "_x" in the result is
// an escape and the result can be decoded. A result that C, the linker or the runtime would misunderstand
// gets the prefix "n_x_", which no other result begins with, since '_' is no hex digit.
#include "import/Mangle.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace halfstep {
namespace {

/// Words that are taken: C11 and C++20 keywords, `main`, and the names of libraries that linkers look for as
/// -lNAME.
constexpr std::string_view reserved[] = {"alignas",
                                         "alignof",
                                         "and",
                                         "and_eq",
                                         "asm",
                                         "atomic",
                                         "auto",
                                         "bitand",
                                         "bitor",
                                         "bool",
                                         "break",
                                         "c",
                                         "case",
                                         "catch",
                                         "char",
                                         "char16_t",
                                         "char32_t",
                                         "char8_t",
                                         "class",
                                         "co_await",
                                         "co_return",
                                         "co_yield",
                                         "compl",
                                         "complex",
                                         "concept",
                                         "const",
                                         "const_cast",
                                         "consteval",
                                         "constexpr",
                                         "constinit",
                                         "continue",
                                         "decltype",
                                         "default",
                                         "delete",
                                         "dl",
                                         "dnnl",
                                         "do",
                                         "double",
                                         "dynamic_cast",
                                         "else",
                                         "enum",
                                         "explicit",
                                         "export",
                                         "extern",
                                         "false",
                                         "float",
                                         "for",
                                         "friend",
                                         "gomp",
                                         "goto",
                                         "hs",
                                         "HS",
                                         "if",
                                         "imaginary",
                                         "import",
                                         "inline",
                                         "int",
                                         "linux",
                                         "long",
                                         "m",
                                         "main",
                                         "module",
                                         "mutable",
                                         "namespace",
                                         "new",
                                         "noexcept",
                                         "noreturn",
                                         "not",
                                         "not_eq",
                                         "nullptr",
                                         "operator",
                                         "or",
                                         "or_eq",
                                         "private",
                                         "protected",
                                         "pthread",
                                         "public",
                                         "register",
                                         "reinterpret_cast",
                                         "requires",
                                         "restrict",
                                         "return",
                                         "rt",
                                         "short",
                                         "signed",
                                         "sizeof",
                                         "static",
                                         "static_assert",
                                         "static_cast",
                                         "struct",
                                         "switch",
                                         "template",
                                         "this",
                                         "thread_local",
                                         "throw",
                                         "true",
                                         "try",
                                         "typedef",
                                         "typeid",
                                         "typename",
                                         "typeof",
                                         "union",
                                         "unix",
                                         "unsigned",
                                         "using",
                                         "util",
                                         "virtual",
                                         "void",
                                         "volatile",
                                         "wchar_t",
                                         "while",
                                         "xor",
                                         "xor_eq"};

/// What POSIX, C11 and the C library's RPC make and end: timer_create, sem_destroy, mtx_destroy.
constexpr std::string_view systemObjects[] = {"aio", "auth", "authunix", "clnt", "cnd",   "mq",  "mtx",
                                              "sem", "svc",  "svcudp",   "thrd", "timer", "tss", "xdr"};

bool plain(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// True when `body` may not stand as it is: it begins with no letter, is a reserved word, or is the project's
/// (hs_) or the C library's (_t).
bool needsPrefix(std::string_view body) {
  if (body.empty() || !std::isalpha(static_cast<unsigned char>(body.front())))
    return true;
  if (body.starts_with("hs_") || body.starts_with("HS_") || body.ends_with("_t"))
    return true;
  // With _create or _destroy behind it, such a name is a function of the C library.
  if (body.starts_with("pthread_") || body.starts_with("posix_") ||
      std::find(std::begin(systemObjects), std::end(systemObjects), body) != std::end(systemObjects))
    return true;
  return std::find(std::begin(reserved), std::end(reserved), body) != std::end(reserved);
}

} // namespace

std::string mangleIdentifier(const std::string &name) {
  constexpr char hex[] = "0123456789abcdef";
  std::string body;
  for (size_t i = 0; i < name.size(); ++i) {
    bool opensEscape = name[i] == '_' && i + 1 < name.size() && name[i + 1] == 'x';
    if (plain(name[i]) && !opensEscape) {
      body += name[i];
      continue;
    }
    auto byte = static_cast<unsigned char>(name[i]);
    body += {'_', 'x', hex[byte >> 4], hex[byte & 15]};
  }
  return needsPrefix(body) ? "n_x_" + body : body;
}

} // namespace halfstep
