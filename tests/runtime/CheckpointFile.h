// Reading and taking apart checkpoint files, for the tests.
#ifndef HALFSTEP_TESTS_CHECKPOINT_FILE_H
#define HALFSTEP_TESTS_CHECKPOINT_FILE_H

#include "FakeInstance.h"

#include "runtime/embedded/instance.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace halfstep::test {

/// A folder that is gone when the test ends.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "halfstep-test-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  TemporaryFolder(const TemporaryFolder &) = delete;

  std::string file(const std::string &name) const { return (path / name).string(); }
  size_t count() const {
    return size_t(
        std::distance(std::filesystem::directory_iterator(path), std::filesystem::directory_iterator()));
  }

private:
  std::filesystem::path path;
};

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline void writeFile(const std::string &path, const std::string &contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

/// A safetensors file in its parts.
struct CheckpointFile {
  nlohmann::ordered_json header;
  std::string data;
  size_t headerBytes = 0;

  explicit CheckpointFile(const std::string &path) {
    std::string contents = readFile(path);
    uint64_t length = 0;
    std::memcpy(&length, contents.data(), 8);
    headerBytes = length;
    header = nlohmann::ordered_json::parse(contents.substr(8, length));
    data = contents.substr(8 + length);
  }

  /// The file again, with this header text.
  std::string with(const std::string &text) const {
    uint64_t length = text.size();
    return std::string(reinterpret_cast<const char *>(&length), 8) + text + data;
  }
  std::string contents() const { return with(header.dump()); }
};

/// Everything of an instance that a checkpoint may change.
inline std::string wholeState(const Instance &instance) {
  std::ostringstream text;
  text.write(instance->arena + HS_SCALARS_BYTES, instance->model->state_bytes - HS_SCALARS_BYTES);
  text << ' ' << instance->updates << ' ' << instance->step << ' ' << instance->seed << ' ' << instance->lr
       << ' ' << instance->scaler.scale << ' ' << instance->scaler.growth_tracker << ' '
       << instance->hysteresis_left;
  return text.str();
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_CHECKPOINT_FILE_H
