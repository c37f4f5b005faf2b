// What the numbers made of a data file stand for: characters, classes, scales. A run writes it into its
// checkpoints, so that later runs read other files the same way.
#ifndef HALFSTEP_RUNTIME_TRAINER_DATA_DATAFORMAT_H
#define HALFSTEP_RUNTIME_TRAINER_DATA_DATAFORMAT_H

#include <map>
#include <string>
#include <vector>

namespace halfstep {

struct DataFormat {
  std::string target;            ///< of .csv: the target's column, by name or counted from 1; empty: by rule
  std::vector<double> mean, std; ///< of images: subtracted and divided by, one number or one a channel
  std::string vocabulary;        ///< of text: the characters with the ids 0, 1, ... as UTF-8; empty: bytes
  std::vector<std::string> classes; ///< of images: names of the classes with the ids 0, 1, ...

  bool operator==(const DataFormat &) const = default;

  /// As JSON; empty when nothing is set.
  std::string toJson() const;

  /// Reads what toJson wrote. False for other text.
  static bool fromJson(const std::string &text, DataFormat &format);

  /// `this` where it says something, else `saved`.
  DataFormat over(const DataFormat &saved) const;
};

/// Key of the format in the metadata of a safetensors file of weights.
inline constexpr const char *dataFormatKey = "halfstep_data";

/// The format in the metadata of a checkpoint or of a file of weights; an empty one when there is none.
DataFormat formatIn(const std::map<std::string, std::string> &metadata);

} // namespace halfstep

#endif // HALFSTEP_RUNTIME_TRAINER_DATA_DATAFORMAT_H
