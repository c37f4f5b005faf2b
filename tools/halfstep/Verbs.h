// The verbs of the tool. Each add function registers one subcommand; when the command line names it, its
// parse sets `action`, which main() then runs.
#ifndef HALFSTEP_TOOLS_HALFSTEP_VERBS_H
#define HALFSTEP_TOOLS_HALFSTEP_VERBS_H

#include "import/Diagnostic.h"

#include <CLI/App.hpp>

#include <functional>

namespace halfstep {

/// What a verb does; results go to stdout. Throws Diagnostic.
using Action = std::function<ExitCode()>;

void addCompile(CLI::App &app, Action &action);
void addTrain(CLI::App &app, Action &action);
void addEval(CLI::App &app, Action &action);
void addPredict(CLI::App &app, Action &action);
void addInspect(CLI::App &app, Action &action);
void addBench(CLI::App &app, Action &action);
void addCheck(CLI::App &app, Action &action);
void addExport(CLI::App &app, Action &action);
void addGenerate(CLI::App &app, Action &action);

} // namespace halfstep

#endif // HALFSTEP_TOOLS_HALFSTEP_VERBS_H
