// halfstep export: the weights of a checkpoint under their original names.
#include "runtime/trainer/Trainer.h"
#include "tools/halfstep/ModelOptions.h"
#include "tools/halfstep/Report.h"
#include "tools/halfstep/Verbs.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace halfstep {
namespace {

struct ExportOptions {
  std::string checkpoint, output, model, onnx;
};

ExitCode runExport(const ExportOptions &options) {
  if (!options.onnx.empty() || !options.model.empty())
    notAvailable("the export of an ONNX graph (--onnx, --model)");
  if (options.output.empty())
    throw Diagnostic(ExitCode::Usage, "an output file is required: -o W.safetensors");
  exportWeights(options.checkpoint, options.output);
  std::printf("%s\n", oneLine(options.output).c_str());
  return ExitCode::Ok;
}

} // namespace

void addExport(CLI::App &app, Action &action) {
  CLI::App *verb = app.add_subcommand("export", "Write the weights of a checkpoint");
  auto options = std::make_shared<ExportOptions>();
  verb->add_option("CHECKPOINT", options->checkpoint, "a checkpoint, or a folder of them")->required();
  verb->add_option("-o,--output", options->output, "weights as .safetensors, ready for PyTorch")
      ->type_name("FILE");
  verb->add_option("--model", options->model, "the model of the checkpoint, for --onnx; not available yet")
      ->type_name("MODEL");
  verb->add_option("--onnx", options->onnx, "an inference graph; not available yet")->type_name("OUT");
  verb->footer("Prints the file it wrote.\n\n"
               "Example:\n"
               "  halfstep export run -o weights.safetensors");
  verb->callback([options, &action] { action = [options] { return runExport(*options); }; });
}

} // namespace halfstep
