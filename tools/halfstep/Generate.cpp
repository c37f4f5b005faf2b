// halfstep generate: text out of a trained model of the next character.
#include "tools/halfstep/RunFlags.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

ExitCode runGenerate(RunFlags &flags, const GenerateOptions &wanted) {
  LibrarySource library = LibrarySource::existing(flags.source, flags.recipe);
  flags.run.library = library.path();
  generate(flags.run, wanted, [](const std::string &text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  });
  std::printf("\n");
  return ExitCode::Ok;
}

} // namespace

void addGenerate(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("generate", "Text from a compiled model of the next character");
  auto flags = std::make_shared<RunFlags>();
  auto wanted = std::make_shared<GenerateOptions>();
  flags->addSource(*verb, false);
  flags->addWeights(*verb);
  flags->addThreads(*verb);
  verb->add_option("--checkpoint", flags->run.resume, "weights of a checkpoint instead")
      ->type_name("DIR|FILE")
      ->excludes("--weights");
  verb->add_option("--prompt", wanted->prompt, "what the text begins with (default a line break)")
      ->type_name("TEXT");
  verb->add_option("--length", wanted->length, "characters after the prompt (default 500)")
      ->type_name("N")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 32));
  verb->add_option("--temperature", wanted->temperature,
                   "above 1: bolder, below 1: safer, 0: always the likeliest character (default 0.8)")
      ->type_name("NUMBER")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--seed", flags->run.seed, "seed of what is drawn (default 0)")->type_name("N");
  verb->footer(
      "Example:\n"
      "  halfstep generate build/gpt --checkpoint run --prompt 'The ' --length 300 --temperature 0.7");
  verb->callback(
      [flags, wanted, &action] { action = [flags, wanted] { return runGenerate(*flags, *wanted); }; });
}

} // namespace halfstep
