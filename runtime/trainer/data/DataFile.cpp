// See DataFile.h.
#include "runtime/trainer/data/DataFile.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/Csv.h"
#include "runtime/trainer/data/FileBytes.h"
#include "runtime/trainer/data/Npy.h"
#include "runtime/trainer/data/Npz.h"
#include "runtime/trainer/data/Safetensors.h"

#include <filesystem>
#include <string_view>

namespace fs = std::filesystem;

namespace halfstep {
namespace {

DataKind kindByContents(const std::string &path) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  std::string_view text(reinterpret_cast<const char *>(contents->bytes().data()), contents->bytes().size());
  if (text.starts_with("\x93NUMPY"))
    return DataKind::Npy;
  if (text.starts_with("PK\x03\x04"))
    return DataKind::Npz;
  if (text.substr(0, 9).ends_with('{'))
    return DataKind::Safetensors;
  // A text often has no suffix; with another one it is more likely a mistake.
  constexpr size_t probe = 4096;
  if (!fs::path(path).has_extension() && !text.empty() && text.substr(0, probe).find('\0') == text.npos)
    return DataKind::Text;
  throw Diagnostic(ExitCode::BadInput, path + ": expected " + dataForms);
}

DataKind kindOf(const std::string &path) {
  std::string suffix = fs::path(path).extension().string();
  if (suffix == ".safetensors")
    return DataKind::Safetensors;
  if (suffix == ".npz")
    return DataKind::Npz;
  if (suffix == ".npy")
    return DataKind::Npy;
  if (suffix == ".csv")
    return DataKind::Csv;
  if (suffix == ".txt")
    return DataKind::Text;
  std::error_code error;
  if (fs::is_directory(path, error))
    return DataKind::Images;
  return kindByContents(path);
}

std::vector<std::string> splitPaths(const std::string &data) {
  std::error_code error;
  if (fs::exists(data, error)) // a name may hold a comma
    return {data};
  std::vector<std::string> paths;
  for (size_t begin = 0; begin != std::string::npos;) {
    size_t comma = data.find(',', begin);
    paths.push_back(data.substr(begin, comma == std::string::npos ? comma : comma - begin));
    begin = comma == std::string::npos ? comma : comma + 1;
  }
  return paths;
}

DataFile readNpyFiles(const std::string &data, const std::vector<std::string> &paths) {
  DataFile result = {DataKind::Npy, {}};
  result.file.path = data;
  for (const std::string &path : paths) {
    if (kindOf(path) != DataKind::Npy)
      throw Diagnostic(ExitCode::BadInput, path + ": only .npy files can be joined by commas");
    TensorFile part = readNpy(path);
    result.file.tensors.push_back(part.tensors[0]);
    result.file.owners.insert(result.file.owners.end(), part.owners.begin(), part.owners.end());
  }
  return result;
}

} // namespace

DataKind kindOfData(const std::string &data) {
  std::vector<std::string> paths = splitPaths(data);
  return paths.size() > 1 ? DataKind::Npy : kindOf(paths[0]);
}

DataFile readData(const std::string &data, const std::string &csvTarget, bool targetNeeded) {
  switch (DataKind kind = kindOfData(data)) {
  case DataKind::Safetensors:
    return {kind, readSafetensors(data)};
  case DataKind::Npz:
    return {kind, readNpz(data)};
  case DataKind::Csv:
    return {kind, readCsv(data, csvTarget, targetNeeded)};
  case DataKind::Npy:
    return readNpyFiles(data, splitPaths(data));
  case DataKind::Text:
  case DataKind::Images:
    break;
  }
  throw Diagnostic(ExitCode::BadInput, data + ": holds no tensors");
}

} // namespace halfstep
