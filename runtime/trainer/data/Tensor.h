// Named tensors as a file holds them: what every reader returns and the writers take.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_TENSOR_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_TENSOR_H

#include "runtime/trainer/data/DataType.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace halfstep {

/// A tensor in C order. The bytes belong to someone else and may have any alignment.
struct TensorView {
  std::string name;
  DataType type = DataType::F32;
  std::vector<int64_t> shape;
  const std::byte *data = nullptr;
  size_t count = 0; ///< elements: the product of the extents

  size_t bytes() const { return count * byteSize(type); }
};

/// The tensors of one file, or of several that are read as one, with what keeps their bytes alive.
struct TensorFile {
  std::string path; ///< for messages
  std::vector<TensorView> tensors;
  std::map<std::string, std::string> metadata;
  std::vector<std::shared_ptr<const void>> owners;

  /// Null when there is none of that name.
  const TensorView *find(const std::string &name) const {
    for (const TensorView &tensor : tensors)
      if (tensor.name == name)
        return &tensor;
    return nullptr;
  }
};

/// Product of the extents; false if one is negative or the product's bytes do not fit 62 bits.
bool countElements(std::span<const int64_t> shape, DataType type, size_t &count);

/// "[3, 4]".
std::string toText(std::span<const int64_t> shape);

/// "'a', 'b' and 3 more", at most `most` of them.
std::string quotedNames(const std::vector<std::string> &names, size_t most = 5);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_TENSOR_H
