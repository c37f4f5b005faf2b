// Files that are no checkpoint of the model: each is refused with a status, and the instance stays as it was.
#include "CheckpointFile.h"

#include <functional>
#include <sys/stat.h>

namespace {
using namespace halfstep::test;
using Json = nlohmann::ordered_json;

class HostileCheckpoint : public testing::Test {
protected:
  TemporaryFolder folder;
  std::string path = folder.file("a.safetensors");
  Instance instance = makeInstance();

  void SetUp() override {
    Instance trained = makeInstance();
    train(trained, Batch());
    ASSERT_EQ(hs_instance_save(trained.get(), path.c_str(), "user"), HS_OK);
  }

  void refuses(const std::string &contents, const std::string &what,
               hs_status expected = HS_ERROR_CHECKPOINT) {
    std::string bad = folder.file("bad.safetensors"), before = wholeState(instance);
    writeFile(bad, contents);
    ASSERT_EQ(hs_instance_load(instance.get(), bad.c_str()), expected) << what;
    ASSERT_NE(lastError(instance), "") << what;
    ASSERT_EQ(wholeState(instance), before) << what;
  }

  void refusesEdit(const std::string &what, const std::function<void(Json &)> &edit) {
    CheckpointFile file(path);
    edit(file.header);
    refuses(file.contents(), what);
  }
};

const std::string weight = "master.fc.\"w\"";

TEST_F(HostileCheckpoint, TheFileItselfIsGoodAlsoWithAnotherOrderAndUnknownMetadata) {
  CheckpointFile file(path);
  Json reversed;
  for (auto it = file.header.rbegin(); it != file.header.rend(); ++it)
    reversed[it.key()] = it.value();
  reversed["__metadata__"]["someone's"] = "note";
  writeFile(path, file.with(reversed.dump(3) + "\n "));
  EXPECT_EQ(hs_instance_load(instance.get(), path.c_str()), HS_OK) << lastError(instance);
}

TEST_F(HostileCheckpoint, TruncatedAtEveryLength) {
  std::string contents = readFile(path);
  for (size_t length = 0; length < contents.size(); ++length)
    refuses(contents.substr(0, length), "length " + std::to_string(length));
  refuses(contents + "x", "one byte more");
}

TEST_F(HostileCheckpoint, EveryByteOfTheDataCounts) {
  CheckpointFile file(path);
  for (size_t i = 0; i < file.data.size(); ++i)
    for (int bit : {0, 7}) {
      CheckpointFile changed = file;
      changed.data[i] = char(changed.data[i] ^ (1 << bit));
      refuses(changed.contents(), "data byte " + std::to_string(i));
    }
}

TEST_F(HostileCheckpoint, AnyChangedByteOfTheHeaderIsHarmless) {
  std::string contents = readFile(path);
  CheckpointFile file(path);
  for (size_t i = 0; i < 8 + file.headerBytes; ++i)
    for (char byte : {'\0', '"', '{', '9', '\\', '\xff'}) {
      std::string changed = contents;
      changed[i] = byte;
      writeFile(folder.file("bad"), changed);
      hs_instance_load(instance.get(),
                       folder.file("bad").c_str()); // some changes are allowed: the user's text
    }
}

TEST_F(HostileCheckpoint, WrongHeaderLengths) {
  std::string contents = readFile(path);
  for (uint64_t length : {uint64_t(0), uint64_t(1), contents.size() - 8, contents.size(), uint64_t(1) << 31,
                          uint64_t(1) << 40, uint64_t(1) << 63, UINT64_MAX, UINT64_MAX - 7}) {
    std::string changed = contents;
    std::memcpy(changed.data(), &length, 8);
    refuses(changed, "header length " + std::to_string(length));
  }
}

TEST_F(HostileCheckpoint, MalformedJson) {
  CheckpointFile file(path);
  std::string good = file.header.dump();
  refuses(file.with(std::string(200000, '[')), "deep arrays");
  refuses(file.with("{" + std::string(100000, '{')), "deep objects");
  std::string nested;
  for (int i = 0; i < 50000; ++i)
    nested += "{\"" + weight + "\":";
  refuses(file.with(nested), "deep entries");
  refuses(file.with(""), "no header");
  refuses(file.with("[]"), "an array");
  refuses(file.with("{}"), "an empty object");
  refuses(file.with("null"), "null");
  refuses(file.with(good + "}"), "something behind");
  refuses(file.with(good.substr(0, good.size() - 1)), "no end");
  refuses(file.with(good.substr(0, good.size() - 1) + ",}"), "a comma too many");
  refuses(file.with("{\"\\ud800\":1}"), "a lone surrogate");
  refuses(file.with(std::string("{\"\xff\":1}")), "no UTF-8");
  refuses(file.with("{\"" + std::string(100000, 'n') + "\":{}}"), "a long name");
  refuses(file.with(good.substr(0, good.size() - 1) +
                    ",\"model.fc.bias\":" + file.header["model.fc.bias"].dump() + "}"),
          "a tensor twice");
  refuses(file.with(good.substr(0, good.size() - 1) + ",\"__metadata__\":{}}"), "metadata twice");
}

TEST_F(HostileCheckpoint, WrongOffsets) {
  const Json offsets = CheckpointFile(path).header[weight]["data_offsets"];
  int64_t begin = offsets[0], end = offsets[1];
  for (Json wrong : {Json{begin + 1, end + 1},
                     {begin, end - 1},
                     {begin, end + 1},
                     {end, begin},
                     {begin + 1000, end + 1000},
                     {-1, end - begin - 1},
                     {int64_t(0), INT64_MAX},
                     {INT64_MAX - 24, INT64_MAX},
                     {begin},
                     {begin, end, end},
                     {0.5, end},
                     {"0", "24"}})
    refusesEdit(wrong.dump(), [&](Json &header) { header[weight]["data_offsets"] = wrong; });
  refusesEdit("number too large",
              [&](Json &header) { header[weight]["data_offsets"] = {begin, UINT64_MAX}; });
}

TEST_F(HostileCheckpoint, WrongTypesShapesAndEntries) {
  refusesEdit("dtype", [](Json &header) { header[weight]["dtype"] = "I32"; });
  refusesEdit("long dtype", [](Json &header) { header[weight]["dtype"] = std::string(1000, 'F'); });
  for (Json shape : {Json{3, 2}, {6}, {2, 3, 1}, Json::array(), {2, -3}, {2, 3.0}, Json(7)})
    refusesEdit("shape " + shape.dump(), [&](Json &header) { header[weight]["shape"] = shape; });
  refusesEdit("no dtype", [](Json &header) { header[weight].erase("dtype"); });
  refusesEdit("one field more", [](Json &header) { header[weight]["more"] = 1; });
  refusesEdit("no tensor", [](Json &header) { header.erase(weight); });
  refusesEdit("another tensor", [](Json &header) { header["model.other"] = header[weight]; });
  refusesEdit("an entry that is no object", [](Json &header) { header[weight] = 3; });
}

TEST_F(HostileCheckpoint, WrongMetadata) {
  refusesEdit("none", [](Json &header) { header.erase("__metadata__"); });
  refusesEdit("no object", [](Json &header) { header["__metadata__"] = "x"; });
  for (auto [key, value] : {std::pair{"halfstep_checkpoint", "3"},
                            {"model", "other"},
                            {"recipe_sha256", "00"},
                            {"precision", "32-true"},
                            {"updates", "-1"},
                            {"updates", "9223372036854775808"},
                            {"step", ""},
                            {"seed", "1e3"},
                            {"growth_tracker", "2147483648"},
                            {"hysteresis_left", "0"},
                            {"hysteresis_left", "2"},
                            {"scale_bits", "2139095040"},
                            {"scale_bits", "2143289344"},
                            {"scale_bits", "3212836864"},
                            {"lr_bits", "2139095040"},
                            {"lr_bits", "4294967296"},
                            {"checksum.model.fc.bias", "0"},
                            {"checksum.model.fc.bias", "-000000000000001"},
                            {"checksum.model.none", "0000000000000000"}}) {
    refusesEdit(std::string(key) + "=" + value, [&](Json &header) { header["__metadata__"][key] = value; });
    if (std::string(key) != "checksum.model.none")
      refusesEdit(std::string("no ") + key, [&](Json &header) { header["__metadata__"].erase(key); });
  }
  refusesEdit("a number", [](Json &header) { header["__metadata__"]["updates"] = 3; });
  refusesEdit("nested", [](Json &header) { header["__metadata__"]["x"] = Json{{"y", "z"}}; });
}

TEST_F(HostileCheckpoint, AnotherModelIsNamed) {
  CheckpointFile file(path);
  file.header["__metadata__"]["model"] = "other";
  refuses(file.contents(), "another model");
  EXPECT_NE(lastError(instance).find("model is 'other', expected 'fake'"), std::string::npos);
}

TEST_F(HostileCheckpoint, WhatIsNoFileIsAnIoError) {
  std::string pipe = folder.file("pipe");
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string &name : {folder.file("none"), folder.file("."), pipe, std::string("/dev/zero")})
    EXPECT_EQ(hs_instance_load(instance.get(), name.c_str()), HS_ERROR_IO) << name;
  EXPECT_EQ(hs_instance_load(instance.get(), nullptr), HS_ERROR_USAGE);
  EXPECT_EQ(hs_instance_load(nullptr, path.c_str()), HS_ERROR_USAGE);
}

} // namespace
