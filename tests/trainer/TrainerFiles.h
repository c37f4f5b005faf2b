// Files and expectations that the trainer's tests share.
#ifndef HALFSTEP_TESTS_TRAINER_FILES_H
#define HALFSTEP_TESTS_TRAINER_FILES_H

#include "runtime/trainer/Trainer.h"
#include "runtime/trainer/data/Safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace halfstep::test {

/// A folder that is gone when the test ends.
class Folder {
public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "halfstep-trainer-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path = name;
  }
  Folder(const Folder &) = delete;
  ~Folder() { std::filesystem::remove_all(path); }

  std::string file(const std::string &name) const { return (path / name).string(); }

  std::string write(const std::string &name, const std::string &contents) const {
    std::ofstream(path / name, std::ios::binary | std::ios::trunc) << contents;
    return file(name);
  }

private:
  std::filesystem::path path;
};

inline std::string readText(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Views of vectors.
inline TensorView view(const std::string &name, const std::vector<float> &values,
                       std::vector<int64_t> shape) {
  return {name, DataType::F32, std::move(shape), reinterpret_cast<const std::byte *>(values.data()),
          values.size()};
}
inline TensorView view(const std::string &name, const std::vector<int64_t> &values,
                       std::vector<int64_t> shape) {
  return {name, DataType::I64, std::move(shape), reinterpret_cast<const std::byte *>(values.data()),
          values.size()};
}

/// `samples` points of three classes that a linear model can tell apart, for the fake library.
inline std::string writeClasses(const Folder &folder, size_t samples, float stretch = 1) {
  std::vector<float> x;
  std::vector<int64_t> y;
  for (size_t i = 0; i < samples; ++i) {
    for (size_t f = 0; f < 3; ++f)
      x.push_back(stretch * ((i % 3 == f ? 1.0f : 0.0f) + 0.01f * float((i * 7 + f * 3) % 11)));
    y.push_back(int64_t(i % 3));
  }
  std::string path = folder.file("classes" + std::to_string(samples) + ".safetensors");
  writeSafetensors(path, {view("x", x, {int64_t(samples), 3}), view("y", y, {int64_t(samples)})});
  return path;
}

inline RunOptions fakeRun(const std::string &data) {
  RunOptions options;
  options.library = HALFSTEP_FAKE_DIR;
  options.data = data;
  options.progress = false;
  return options;
}

/// The Diagnostic that `action` throws.
template <typename Action>
Diagnostic diagnosticOf(Action action) {
  try {
    action();
  } catch (const Diagnostic &diagnostic) {
    return diagnostic;
  }
  return Diagnostic(ExitCode::Ok, "nothing was thrown");
}

inline bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

} // namespace halfstep::test

#endif // HALFSTEP_TESTS_TRAINER_FILES_H
