// See ImageFolder.h.
#include "runtime/trainer/data/ImageFolder.h"

#include "halfstep/diagnostic.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace fs = std::filesystem;

namespace halfstep {
namespace {

/// Names in a folder for which `wanted` holds, sorted.
template <typename Predicate>
std::vector<std::string> namesIn(const std::string &folder, Predicate wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (!name.starts_with('.') && wanted(*at))
      names.push_back(name);
  }
  if (error)
    throw Diagnostic(ExitCode::Io, folder + ": " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

bool isFolder(const fs::directory_entry &entry) {
  std::error_code error;
  return entry.is_directory(error);
}

bool isPng(const fs::directory_entry &entry) {
  std::string suffix = entry.path().extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                 [](unsigned char c) { return char(std::tolower(c)); });
  return suffix == ".png" && !isFolder(entry);
}

} // namespace

ImageFolder::ImageFolder(const std::string &path) : root(path), names(namesIn(path, isFolder)) {
  if (names.empty())
    addImages(path, 0);
  for (size_t i = 0; i < names.size(); ++i)
    addImages((fs::path(path) / names[i]).string(), i);
}

void ImageFolder::addImages(const std::string &folder, size_t index) {
  std::vector<std::string> files = namesIn(folder, isPng);
  if (files.empty())
    throw Diagnostic(ExitCode::BadInput,
                     folder +
                         ": holds no .png files; expected a folder with a sub-folder of .png files a class");
  for (const std::string &file : files)
    list.push_back({(fs::path(folder) / file).string(), index});
}

void ImageFolder::expect(int64_t wantedChannels, PngSize wantedSize) {
  channels = wantedChannels;
  size = wantedSize;
  kept.resize(list.size());
  for (const Image &image : list)
    requirePngSize(image.path, size);
}

std::span<const uint8_t> ImageFolder::read(size_t image) const {
  if (!kept[image].empty())
    return kept[image];
  std::vector<uint8_t> samples = readPng(list[image].path, channels, size);
  std::vector<uint8_t> &place = keptBytes + samples.size() <= cacheBytes ? kept[image] : latest;
  if (&place != &latest)
    keptBytes += samples.size();
  place = std::move(samples);
  return place;
}

} // namespace halfstep
