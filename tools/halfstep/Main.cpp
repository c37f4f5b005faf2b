// The `halfstep` tool: parses the command line, runs one verb, and turns whatever goes wrong into one line on
// stderr and an exit code of the product's table.
#include "import/SpecReader.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <new>

using namespace halfstep;

namespace {

/// Long names of the options of `app`, for hints.
std::vector<std::string> flagNames(const CLI::App &app) {
  std::vector<std::string> names;
  for (const CLI::Option *option : app.get_options())
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
  return names;
}

/// CLI11's message, or a better one for words that it does not know.
std::string usageMessage(const CLI::App &app, const CLI::ParseError &error,
                         const std::vector<std::string> &words) {
  std::vector<CLI::App *> chosen = app.get_subcommands();
  const CLI::App &verb = chosen.empty() ? app : *chosen.front();
  if (chosen.empty() && (words.empty() || !words[0].starts_with("-"))) {
    std::vector<std::string> verbs;
    for (const CLI::App *each : app.get_subcommands({}))
      verbs.push_back(each->get_name());
    if (words.empty())
      return "a verb is required: one of " + quotedList(verbs) + "; see halfstep --help";
    return "unknown verb '" + words[0] + "'" + nearestHint(words[0], verbs) + "; expected one of " +
           quotedList(verbs);
  }
  std::vector<std::string> extras = verb.remaining();
  if (extras.empty())
    return error.what();
  std::string word = extras[0].substr(0, extras[0].find('='));
  if (!word.starts_with("-"))
    return "unexpected argument '" + word + "'";
  return "unknown flag '" + word + "'" + nearestHint(word, flagNames(verb)) + "; see halfstep " +
         verb.get_name() + " --help";
}

/// Runs the verb that the command line names.
ExitCode run(int argc, char **argv) {
  CLI::App app("Compiles a model and a precision spec into a native training library, and trains it.",
               "halfstep");
  app.set_version_flag("--version", "halfstep " HALFSTEP_VERSION);
  app.set_help_flag("-h,--help", "print this help");
  app.require_subcommand(1);
  app.footer(
      "halfstep VERB --help explains a verb.\n\n"
      "Exit status: 0 ok, 1 internal, 2 usage, 3 bad input, 4 unsupported, 5 numerics gave up, 6 I/O,\n"
      "7 checkpoint bad, 8 device or ISA, 9 memory, 75 interrupted with a checkpoint saved.");
  Action action;
  for (auto add :
       {addCompile, addTrain, addEval, addPredict, addInspect, addBench, addCheck, addExport, addGenerate})
    add(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &success) { // --help, --version
    app.exit(success);
    return ExitCode::Ok;
  } catch (const CLI::ParseError &error) {
    throw Diagnostic(ExitCode::Usage, usageMessage(app, error, {argv + 1, argv + argc}));
  }
  return action();
}

/// Results that did not reach stdout are an error, not a success.
void requireWritten() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    throw Diagnostic(ExitCode::Io, "stdout: the results could not be written");
}

} // namespace

int main(int argc, char **argv) {
  // A reader that goes away makes writes fail, which is reported, instead of ending the process.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    ExitCode code = run(argc, argv);
    requireWritten();
    return int(code);
  } catch (const Diagnostic &diagnostic) {
    printError(diagnostic.what());
    std::fflush(stdout);
    return int(diagnostic.code);
  } catch (const std::bad_alloc &) {
    printError("out of memory");
    return int(ExitCode::Memory);
  } catch (const std::exception &error) {
    printError(std::string("internal: ") + error.what());
    return int(ExitCode::Internal);
  }
}
