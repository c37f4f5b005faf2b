// The driver of the compiler: imports, runs the passes, makes code for each batch size and instruction level,
// and writes the library's files.
#include "codegen/library/Compile.h"
#include "codegen/library/Backend.h"
#include "codegen/library/Description.h"
#include "codegen/library/Frontend.h"
#include "codegen/library/Linking.h"
#include "codegen/library/ModelTable.h"
#include "codegen/library/OutputFolder.h"
#include "codegen/library/Texts.h"
#include "runtime/embedded/isa.h"

using namespace mlir;

namespace halfstep {
namespace {

struct Variant {
  int64_t batch;
  OwningOpRef<ModuleOp> planned;
};

class LibraryBuilder {
public:
  explicit LibraryBuilder(const CompileRequest &request) : request(request), frontend(request) {}

  void build() {
    OutputFolder::requireUsable(request.outputDir);
    planVariants();
    describeLibrary();
    const std::string object = makeObject();
    writeFiles(object);
  }

private:
  const CompileRequest &request;
  Frontend frontend;
  std::vector<Variant> variants;
  LibraryDescription library;

  void planVariants() {
    request.progress("planning the step");
    std::vector<int64_t> batches = {request.recipe.batch};
    if (request.recipe.tailBatch > 0 && request.recipe.tailBatch != request.recipe.batch)
      batches.push_back(request.recipe.tailBatch);
    for (int64_t batch : batches)
      variants.push_back({batch, frontend.plan(batch)});
  }

  /// Which of cpuLevels() to compile: all, or the best that this CPU has.
  std::vector<bool> chooseLevels() const {
    std::vector<bool> levels(cpuLevels().size(), true);
    int32_t best = hs_isa_of_this_cpu();
    if (request.hostOnly && best > 0) {
      levels.assign(levels.size(), false);
      levels[size_t(best) - 1] = true;
    }
    return levels;
  }

  void describeLibrary() {
    library = describe(*variants[0].planned, request.recipe, request.name);
    library.levels = chooseLevels();
    for (Variant &variant : variants) {
      addVariant(library, *variant.planned, variant.batch, frontend.choosePrimitivesOf(*variant.planned));
      for (auto [level, compiled] : llvm::zip(cpuLevels(), library.levels))
        if (compiled)
          library.scratchBytes = std::max(library.scratchBytes, scratchBytesOf(*variant.planned, level));
    }
  }

  std::string makeObject() {
    Backend backend(library.name);
    const ArenaPlan arena = {library.arenaBytes, library.scratchBytes};
    for (auto [level, compiled] : llvm::zip(cpuLevels(), library.levels)) {
      if (!compiled)
        continue;
      request.progress("generating code for " + level.name.str());
      for (Variant &variant : variants)
        backend.add(*frontend.emit(*variant.planned, level, symbolPrefix(variant.batch, level.name), arena,
                                   /*lower=*/true));
    }
    request.progress("optimising");
    backend.optimize(stepNames(library));
    backend.addRuntime(library.hasPrimitives());
    llvm::Constant *model = addModelTable(backend.module(), library);
    backend.hide(addInterface(backend.module(), library.name, model));
    return backend.object();
  }

  void writeFiles(const std::string &object) {
    request.progress("writing " + request.outputDir);
    const std::string &name = library.name;
    OutputFolder folder(request.outputDir);
    folder.write("lib" + name + ".a", archiveOf(name, object));
    linkShared(folder, name, object);
    folder.write(name + ".h", headerText(library));
    folder.write(name + ".manifest.json", manifestText(library));
    folder.write(name + ".recipe.json", library.recipeText);
    folder.write(name + "Config.cmake", cmakeConfigText(library));
    folder.write(name + ".pc", pkgConfigText(library));
    folder.write("example.c", exampleText(library));
    folder.commit();
  }
};

} // namespace

void compileLibrary(const CompileRequest &request) { LibraryBuilder(request).build(); }

} // namespace halfstep
