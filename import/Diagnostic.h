// How the compiler speaks to its user: errors, which it shares with the trainer (halfstep/diagnostic.hpp),
// and notes.
#ifndef HALFSTEP_IMPORT_DIAGNOSTIC_H
#define HALFSTEP_IMPORT_DIAGNOSTIC_H

#include "halfstep/diagnostic.hpp"

#include <functional>
#include <string>
#include <vector>

namespace halfstep {

/// A model with nodes that are not supported: the message names the first, or all ops that are unknown;
/// `lines` has one for each.
class UnsupportedNodes : public Diagnostic {
public:
  UnsupportedNodes(const std::string &message, std::vector<std::string> lines)
      : Diagnostic(ExitCode::Unsupported, message), lines(std::move(lines)) {}
  std::vector<std::string> lines;
};

/// Receives notes ("note: 'Dropout_3' was exported in inference mode; it is trained as ...").
using NoteSink = std::function<void(const std::string &)>;

/// `text` on one line: control bytes, which names from models may hold, become \n or \xHH.
std::string oneLine(const std::string &text);

} // namespace halfstep

#endif // HALFSTEP_IMPORT_DIAGNOSTIC_H
