// The rules of precision specs: a row of the table, changed by what a spec says, and every contradiction
// between the two an error.
#ifndef HALFSTEP_IMPORT_PRECISIONRESOLVER_H
#define HALFSTEP_IMPORT_PRECISIONRESOLVER_H

#include "import/PrecisionTable.h"
#include "import/SpecReader.h"

#include <map>
#include <string>

namespace halfstep {

/// Resolves one spec object, once. Errors are those of resolvePrecision().
class PrecisionResolver {
public:
  /// `target` decides what the name '16' means and which op lists are the default.
  PrecisionResolver(SpecReader reader, const std::string &target, ExitCode unknownString)
      : reader(std::move(reader)), target(target), unknownString(unknownString) {}

  PrecisionSpec resolve();

private:
  SpecReader reader;
  const std::string &target;
  ExitCode unknownString;
  PrecisionRow row = {};
  PrecisionSpec spec;

  /// BadInput at `key`: "KEY VALUE contradicts precision 'NAME': WHY".
  [[noreturn]] void contradiction(const std::string &key, const std::string &why) const;
  /// BadInput at `key`: "KEY VALUE contradicts OTHER VALUE: WHY".
  [[noreturn]] void conflict(const std::string &key, const std::string &other, const std::string &why) const;

  bool isLevel() const { return row.mode == PrecisionMode::Patched || row.mode == PrecisionMode::Converted; }
  /// True when ops compute in a type narrower than f32.
  bool isLow() const { return spec.compute == "bf16" || spec.compute == "f16"; }

  std::string precisionName();
  bool isPolicy(const std::string &level, const std::string &backend) const;
  void checkBackend(const std::string &asked, const std::string &backend, const std::string &level) const;
  void chooseRow();
  void takeRow();
  void applyHalf();
  void readPolicy();
  void applyTypes();
  void applyMasterWeights();
  void applyMasters();
  void checkMasters() const;
  void applyUpdate();
  bool readKeepBatchNorm(bool &given) const;
  void applyNorms();
  std::string noScaleReason() const;
  void applyLossScale();
  void applyScaler();
  void applyChoices();
  void applyOverrides(const std::string &key, std::map<std::string, std::string> &classes);
};

} // namespace halfstep

#endif // HALFSTEP_IMPORT_PRECISIONRESOLVER_H
