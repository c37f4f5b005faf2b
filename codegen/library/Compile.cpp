// The driver of the compiler: imports, runs the passes, makes code for each batch size and instruction level,
// and writes the library's files.
#include "codegen/library/Compile.h"
#include "codegen/library/Backend.h"
#include "codegen/library/Description.h"
#include "codegen/library/Frontend.h"
#include "codegen/library/Linking.h"
#include "codegen/library/ModelTable.h"
#include "codegen/library/OutputFolder.h"
#include "codegen/library/Parallel.h"
#include "codegen/library/Profile.h"
#include "codegen/library/Texts.h"
#include "codegen/library/ValueTable.h"
#include "runtime/embedded/isa.h"

using namespace mlir;

namespace halfstep {
namespace {

/// The code for one batch size and one instruction level.
struct Part {
  size_t variant; ///< number of the batch size
  const CpuLevel *level;
  std::string bitcode; ///< optimised
};

class LibraryBuilder {
public:
  explicit LibraryBuilder(const CompileRequest &request) : request(request) {}

  void build() {
    OutputFolder::requireUsable(request.outputDir);
    if (isCuda() && request.profile)
      throw Diagnostic(ExitCode::Unsupported,
                       "the kernels of target 'cuda' cannot be timed one by one: use NVIDIA's profilers");
    if (isCuda())
      (void)cudaArchitectures(request.recipe); // what the user has to change, before the work
    request.progress("planning the step");
    describeLibrary();
    request.progress("generating code");
    Backend backend(library.name);
    makeCode(backend);
    request.progress("writing " + request.outputDir);
    writeFiles(backend);
  }

private:
  const CompileRequest &request;
  LibraryDescription library;
  /// The planned module of each variant, as Frontend::save gives it.
  std::vector<std::string> plans;
  std::string profile;         ///< NAME.profile.json
  int64_t profiledKernels = 0; ///< of the default batch's training step; 0 without a profile
  /// With separateOps: where each variant's values lie.
  nlohmann::ordered_json values = nlohmann::ordered_json::array();

  bool isCuda() const { return request.recipe.target == "cuda"; }

  std::vector<int64_t> batches() const {
    std::vector<int64_t> sizes = {request.recipe.batch};
    if (request.recipe.tailBatch > 0 && request.recipe.tailBatch != request.recipe.batch)
      sizes.push_back(request.recipe.tailBatch);
    return sizes;
  }

  /// Which of cpuLevels() to compile: all, or the best that this CPU has.
  std::vector<bool> chooseLevels() const {
    std::vector<bool> levels(cpuLevels().size(), !isCuda());
    if (isCuda())
      return levels;
    int32_t best = hs_isa_of_this_cpu();
    if (request.hostOnly && best > 0) {
      levels.assign(levels.size(), false);
      levels[size_t(best) - 1] = true;
    }
    return levels;
  }

  void describeLibrary() {
    const std::vector<bool> levels = chooseLevels();
    const CompileRequest silent = request.silent();
    for (int64_t batch : batches()) {
      bool first = batch == request.recipe.batch;
      Frontend frontend(first ? request : silent);
      OwningOpRef<ModuleOp> planned = frontend.plan(batch);
      if (first)
        library = describe(*planned, request.recipe, request.name);
      if (first && request.profile) {
        profile = profileText(*planned);
        profiledKernels = trainKernelCount(*planned);
      }
      addVariant(library, *planned, batch, frontend.choosePrimitivesOf(*planned));
      for (auto [level, compiled] : llvm::zip(cpuLevels(), levels))
        if (compiled)
          library.scratchBytes = std::max(library.scratchBytes, scratchBytesOf(*planned, level));
      if (request.separateOps)
        values.push_back(valueTable(*planned, batch));
      dropInitialData(*planned);
      plans.push_back(Frontend::save(*planned));
    }
    library.levels = levels;
  }

  /// Times are taken for the default batch.
  bool isProfiled(const Part &part) const { return request.profile && part.variant == 0; }

  /// Defines the array that the profiled steps write to, and exports it.
  void addStamps(Backend &backend, llvm::StringSet<> &exported) const {
    const std::string symbol = stampsSymbol(library.name);
    llvm::GlobalVariable *declared = backend.module().getNamedGlobal(symbol);
    auto *type = llvm::ArrayType::get(llvm::Type::getInt64Ty(backend.module().getContext()),
                                      uint64_t(profiledKernels) + 1);
    auto *stamps =
        new llvm::GlobalVariable(backend.module(), type, /*isConstant=*/false,
                                 llvm::GlobalValue::ExternalLinkage, llvm::Constant::getNullValue(type));
    stamps->takeName(declared);
    declared->replaceAllUsesWith(stamps);
    declared->eraseFromParent();
    exported.insert(symbol);
  }

  void makePart(Part &part) const {
    const CompileRequest silent = request.silent();
    Frontend frontend(silent);
    OwningOpRef<ModuleOp> planned = frontend.load(plans[part.variant]);
    const std::string prefix = symbolPrefix(library.variants[part.variant].batch, part.level->name);
    OwningOpRef<ModuleOp> code =
        frontend.emit(*planned, *part.level, prefix, {library.arenaBytes, library.scratchBytes},
                      /*lower=*/true, isProfiled(part) ? stampsSymbol(library.name) : "");
    Backend backend(library.name);
    backend.add(*code);
    backend.optimize(stepNames(prefix));
    part.bitcode = backend.bitcode();
  }

  /// Describes the GPU's part of the library, for all batch sizes at once: they share kernels.
  void addCuda() {
    const CompileRequest silent = request.silent();
    Frontend frontend(silent);
    std::vector<OwningOpRef<ModuleOp>> modules;
    std::vector<ModuleOp> planned;
    for (const std::string &plan : plans) {
      modules.push_back(frontend.load(plan));
      planned.push_back(*modules.back());
    }
    CudaProgram program = frontend.emitCuda(planned, library.arenaBytes, /*lower=*/true);
    library.cuda = describeCuda(program, frontend.ptxOf(program), request.recipe, request.note);
  }

  void makeCode(Backend &backend) {
    if (isCuda())
      addCuda();
    std::vector<Part> parts;
    for (auto [level, compiled] : llvm::zip(cpuLevels(), library.levels))
      for (size_t variant = 0; compiled && variant < plans.size(); ++variant)
        parts.push_back({variant, &level, ""});
    runParallel(parts.size(), [&](size_t i) { makePart(parts[i]); });
    for (const Part &part : parts)
      backend.add(llvm::StringRef(part.bitcode));
    backend.addRuntime(library.hasPrimitives(), isCuda());
    llvm::Constant *model = addModelTable(backend.module(), library);
    llvm::StringSet<> exported = addInterface(backend.module(), library.name, model);
    if (request.profile)
      addStamps(backend, exported);
    backend.hide(exported);
  }

  void writeFiles(Backend &backend) {
    const std::string &name = library.name;
    OutputFolder folder(request.outputDir);
    // A file and not a string: initial values may be large.
    const std::string object = folder.scratch(name + ".o");
    backend.writeObject(object);
    writeArchive(folder, name, object);
    linkShared(folder, name, object);
    folder.write(name + ".h", headerText(library));
    folder.write(name + ".manifest.json", manifestText(library));
    folder.write(name + ".recipe.json", library.recipeText);
    folder.write(name + "Config.cmake", cmakeConfigText(library));
    folder.write(name + ".pc", pkgConfigText(library));
    folder.write("example.c", exampleText(library));
    if (request.profile)
      folder.write(name + ".profile.json", profile);
    if (request.separateOps)
      folder.write(name + kValueTableSuffix, values.dump() + "\n");
    folder.commit();
  }
};

} // namespace

void compileLibrary(const CompileRequest &request) { LibraryBuilder(request).build(); }

} // namespace halfstep
