// See Npy.h.
#include "runtime/trainer/data/Npy.h"

#include "halfstep/diagnostic.hpp"
#include "runtime/trainer/data/AtomicFile.h"
#include "runtime/trainer/data/FileBytes.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace halfstep {
namespace {

constexpr std::string_view magic("\x93NUMPY", 6);
constexpr size_t alignment = 64; ///< of the data, by NumPy's format

struct Descr {
  std::string_view text;
  DataType type;
};
constexpr Descr descrs[] = {{"<f4", DataType::F32}, {"<f8", DataType::F64}, {"<f2", DataType::F16},
                            {"<i8", DataType::I64}, {"<i4", DataType::I32}, {"|u1", DataType::U8},
                            {"|i1", DataType::I8},  {"<i2", DataType::I16}, {"<u2", DataType::U16},
                            {"<u4", DataType::U32}, {"|b1", DataType::Bool}};

/// Reads the header, a Python dictionary of three known keys.
class HeaderParser {
public:
  HeaderParser(const std::string &where, std::string_view text) : where(where), rest(text) {}

  TensorView parse() {
    expect('{');
    while (!accept('}')) {
      std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !seenDescr)
        readDescr();
      else if (key == "fortran_order" && !seenOrder)
        readOrder();
      else if (key == "shape" && !seenShape)
        readShape();
      else
        refuse("its header has an unexpected or repeated key");
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skipBlanks();
    if (!rest.empty() || !seenDescr || !seenOrder || !seenShape)
      refuse("its header is malformed");
    if (fortran && tensor.shape.size() > 1)
      throw Diagnostic(ExitCode::BadInput, where + ": the array is in Fortran order; save "
                                                   "numpy.ascontiguousarray(array) instead");
    if (!countElements(tensor.shape, tensor.type, tensor.count))
      refuse("its shape is too large");
    return tensor;
  }

private:
  [[noreturn]] void refuse(const std::string &what) const {
    throw Diagnostic(ExitCode::BadInput, where + ": not a valid .npy file: " + what);
  }

  void skipBlanks() {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n'))
      rest.remove_prefix(1);
  }

  bool accept(char c) {
    skipBlanks();
    if (rest.empty() || rest[0] != c)
      return false;
    rest.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c))
      refuse("its header is malformed");
  }

  std::string_view quoted() {
    skipBlanks();
    size_t end = rest.empty() ? rest.npos : rest.find(rest[0], 1);
    if (end == rest.npos || (rest[0] != '\'' && rest[0] != '"'))
      refuse("its header is malformed");
    std::string_view text = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return text;
  }

  void readDescr() {
    seenDescr = true;
    skipBlanks();
    if (rest.starts_with('['))
      refuse("structured arrays are not supported");
    std::string_view text = quoted();
    for (const Descr &descr : descrs)
      if (descr.text == text) {
        tensor.type = descr.type;
        return;
      }
    refuse("element type '" + std::string(text) + "' is not supported; expected little-endian numbers");
  }

  void readOrder() {
    seenOrder = true;
    skipBlanks();
    fortran = rest.starts_with("True");
    if (!fortran && !rest.starts_with("False"))
      refuse("its header is malformed");
    rest.remove_prefix(fortran ? 4 : 5);
  }

  void readShape() {
    seenShape = true;
    expect('(');
    while (!accept(')')) {
      skipBlanks();
      int64_t extent = -1;
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), extent);
      if (error != std::errc() || extent < 0)
        refuse("its shape is malformed");
      rest.remove_prefix(size_t(end - rest.data()));
      tensor.shape.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
  }

  const std::string &where;
  std::string_view rest;
  TensorView tensor;
  bool seenDescr = false, seenOrder = false, seenShape = false, fortran = false;
};

} // namespace

TensorView parseNpy(const std::string &where, std::span<const std::byte> bytes) {
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  auto refuse = [&](const std::string &what) {
    throw Diagnostic(ExitCode::BadInput, where + ": not a valid .npy file: " + what);
  };
  if (!text.starts_with(magic) || text.size() < magic.size() + 2)
    refuse("it does not begin with NumPy's signature");
  int version = text[magic.size()];
  if (version < 1 || version > 3)
    refuse("format version " + std::to_string(version) + " is not known");
  // Version 1 has a 2-byte length, the later ones a 4-byte length.
  size_t begin = magic.size() + 2, lengthBytes = version == 1 ? 2 : 4, length = 0;
  if (text.size() < begin + lengthBytes)
    refuse("it is truncated");
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= size_t(static_cast<unsigned char>(text[begin + i])) << (8 * i);
  begin += lengthBytes;
  if (length > text.size() - begin)
    refuse("it is truncated");
  TensorView tensor = HeaderParser(where, text.substr(begin, length)).parse();
  size_t have = text.size() - begin - length;
  if (have != tensor.bytes())
    refuse("it has " + std::to_string(have) + " bytes of data, expected " + std::to_string(tensor.bytes()) +
           " for " + name(tensor.type) + " " + toText(tensor.shape));
  tensor.data = bytes.data() + begin + length;
  return tensor;
}

TensorFile readNpy(const std::string &path) {
  std::shared_ptr<const FileBytes> contents = FileBytes::open(path);
  TensorFile file;
  file.path = path;
  file.owners.push_back(contents);
  file.tensors.push_back(parseNpy(path, contents->bytes()));
  return file;
}

void writeNpy(const std::string &path, const TensorView &tensor) {
  const Descr *descr = std::find_if(std::begin(descrs), std::end(descrs),
                                    [&](const Descr &each) { return each.type == tensor.type; });
  if (descr == std::end(descrs))
    throw Diagnostic(ExitCode::Internal, path + ": NumPy has no type " + std::string(name(tensor.type)));
  std::string shape;
  for (size_t i = 0; i < tensor.shape.size(); ++i)
    shape += (i ? ", " : "") + std::to_string(tensor.shape[i]);
  if (tensor.shape.size() == 1)
    shape += ",";
  std::string header =
      "{'descr': '" + std::string(descr->text) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr size_t lead = 10; // signature, version, length
  header.append(alignment - (lead + header.size() + 1) % alignment, ' ');
  header += '\n';
  std::string start(magic);
  start += '\1';
  start += '\0';
  start += char(header.size() & 0xff);
  start += char(header.size() >> 8);
  start += header;
  AtomicFile file(path);
  file.write(start.data(), start.size());
  file.write(tensor.data, tensor.bytes());
  file.commit();
}

} // namespace halfstep
