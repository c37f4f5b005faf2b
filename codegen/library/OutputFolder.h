// A folder of results that appears whole or not at all.
#ifndef HALFSTEP_CODEGEN_LIBRARY_OUTPUTFOLDER_H
#define HALFSTEP_CODEGEN_LIBRARY_OUTPUTFOLDER_H

#include <filesystem>
#include <string>
#include <vector>

namespace halfstep {

/// Files are written into a temporary folder on the same file system; commit() renames them into place.
/// Without a commit nothing is left, folders that were made on the way included. All throw Diagnostic Io with
/// the file's final name.
class OutputFolder {
public:
  explicit OutputFolder(const std::string &path);
  OutputFolder(const OutputFolder &) = delete;
  ~OutputFolder();

  /// Throws where the constructor would, as far as that can be told without writing anything.
  static void requireUsable(const std::string &path);

  void write(const std::string &name, const std::string &contents);
  /// Adds a file that somebody else writes; returns where.
  std::string reserve(const std::string &name);
  /// A path for a file that is not a result.
  std::string scratch(const std::string &name) const { return (staging / name).string(); }
  /// Final name of a file, for messages.
  std::string finalName(const std::string &name) const { return (folder / name).string(); }

  void commit();

private:
  void makeParents();
  void makeStaging();
  void renameInto();
  void writeFile(const std::string &name, const std::string &contents) const;

  std::filesystem::path folder, staging;
  std::vector<std::filesystem::path> made; ///< parents, outermost first
  std::vector<std::string> files;
  bool committed = false;
};

} // namespace halfstep

#endif // HALFSTEP_CODEGEN_LIBRARY_OUTPUTFOLDER_H
