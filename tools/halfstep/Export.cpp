// halfstep export: the weights of a checkpoint under their original names, alone or in an ONNX graph.
#include "runtime/trainer/Trainer.h"
#include "runtime/trainer/Weights.h"
#include "runtime/trainer/data/AtomicFile.h"
#include "tools/halfstep/Compiler.h"
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

/// Writes the model with the checkpoint's weights as an ONNX graph.
void writeOnnx(const ExportOptions &options) {
  ExportRequest request;
  request.model = options.model;
  request.note = printNote;
  TensorFile file = readWeights(options.checkpoint);
  request.weightsFile = file.path;
  for (const TensorView &tensor : plainWeights(file)) {
    ExportWeight &weight = request.weights.emplace_back(ExportWeight{tensor.name, tensor.shape, {}});
    weight.values.resize(tensor.count);
    convert(DataType::F64, reinterpret_cast<std::byte *>(weight.values.data()), tensor.type, tensor.data,
            tensor.count);
  }
  std::string bytes = compiler().exportOnnx(request);
  AtomicFile out(options.onnx);
  out.write(bytes.data(), bytes.size());
  out.commit();
  std::printf("%s\n", oneLine(options.onnx).c_str());
}

ExitCode runExport(const ExportOptions &options) {
  if (options.onnx.empty() != options.model.empty())
    throw Diagnostic(ExitCode::Usage, "an inference graph needs both --model MODEL and --onnx OUT");
  if (options.output.empty() && options.onnx.empty())
    throw Diagnostic(ExitCode::Usage,
                     "an output file is required: -o W.safetensors, or --model MODEL --onnx OUT.onnx");
  if (!options.onnx.empty())
    writeOnnx(options);
  if (!options.output.empty()) {
    exportWeights(options.checkpoint, options.output);
    std::printf("%s\n", oneLine(options.output).c_str());
  }
  return ExitCode::Ok;
}

} // namespace

void addExport(CLI::App &app, Action &action) {
  CLI::App *verb =
      app.add_subcommand("export", "Write the weights of a checkpoint, alone or in an ONNX graph");
  auto options = std::make_shared<ExportOptions>();
  verb->add_option("CHECKPOINT", options->checkpoint,
                   "a checkpoint, or a folder of them; for --onnx also a file of weights")
      ->required();
  verb->add_option("-o,--output", options->output, "weights as .safetensors, ready for PyTorch")
      ->type_name("FILE");
  verb->add_option("--model", options->model, "the model of the checkpoint, .json or .onnx, for --onnx")
      ->type_name("MODEL");
  verb->add_option("--onnx", options->onnx, "an inference graph, as other runtimes load it")
      ->type_name("OUT");
  verb->footer("Prints the files it wrote. The graph has the model's own parameter names, in f32.\n\n"
               "Examples:\n"
               "  halfstep export run -o weights.safetensors\n"
               "  halfstep export run --model model.json --onnx model.onnx");
  verb->callback([options, &action] { action = [options] { return runExport(*options); }; });
}

} // namespace halfstep
