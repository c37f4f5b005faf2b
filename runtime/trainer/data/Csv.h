// Tables of numbers as comma-separated text: a header line or none, then one sample a line.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_CSV_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_CSV_H

#include "runtime/trainer/data/Tensor.h"

namespace halfstep {

/// One F64 tensor "table" of shape [samples, columns]. The first line is a header unless it holds only
/// numbers. Metadata "target" is the index of the column `target`, a name or a number counted from 1; when
/// that is empty, of the column called y, target or label (in any case), absent when there is none. `needed`:
/// it is an error when `target` is not there. Throws Diagnostic BadInput with line and column, or Io.
TensorFile readCsv(const std::string &path, const std::string &target = "", bool needed = true);

/// Columns of a table of readCsv as a tensor of their own, called `name`: [samples, columns], or [samples]
/// when `flat`, which needs one column. The new bytes are added to `file.owners`.
TensorView csvColumns(TensorFile &file, const std::string &name, const std::vector<size_t> &columns,
                      bool flat);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_CSV_H
