#include "model/quantize_state.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/file.h"
#include "base/hasher.h"

namespace ringlet {
namespace {

namespace fs = std::filesystem;

constexpr int kVersion = 1;

OrderedJson TensorJson(const TensorReport& t) {
  return OrderedJson::array(
      {t.name, t.source, t.type, t.elements, t.bytes, t.squared_error, t.squared_norm});
}

bool ReadTensor(const OrderedJson& json, TensorReport* out) {
  if (!json.is_array() || json.size() != 7) return false;
  for (size_t i = 0; i < 3; ++i) {
    if (!json[i].is_string()) return false;
  }
  if (!json[3].is_number_integer() || !json[4].is_number_integer()) return false;
  if (!json[5].is_number() || !json[6].is_number()) return false;
  *out = {.name = json[0].get<std::string>(),
          .source = json[1].get<std::string>(),
          .type = json[2].get<std::string>(),
          .elements = json[3].get<int64_t>(),
          .bytes = json[4].get<uint64_t>(),
          .squared_error = json[5].get<double>(),
          .squared_norm = json[6].get<double>()};
  return true;
}

bool ReadShard(const OrderedJson& json, FinishedShard* out) {
  if (!json.is_object() || !json.contains("hash") || !json.contains("tensors")) return false;
  if (!json["hash"].is_number_unsigned() || !json["tensors"].is_array()) return false;
  out->hash = json["hash"].get<uint64_t>();
  for (const OrderedJson& tensor : json["tensors"]) {
    if (!ReadTensor(tensor, &out->tensors.emplace_back())) return false;
  }
  return true;
}

// "name size time" of what decides the weights.
OrderedJson SourceFiles(const std::string& directory) {
  std::vector<std::string> stamps;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path& path = entry->path();
    const bool weights = path.extension() == ".safetensors";
    if (!weights && path.filename() != "config.json") continue;
    std::error_code ignored;
    stamps.push_back(fmt::format("{} {} {}", path.filename().string(), fs::file_size(path, ignored),
                                 fs::last_write_time(path, ignored).time_since_epoch().count()));
  }
  std::ranges::sort(stamps);
  return stamps;
}

}  // namespace

OrderedJson QuantizeIdentity(const Checkpoint& checkpoint, const QuantizeOptions& options) {
  OrderedJson keep = OrderedJson::array();
  for (const KeepRule& rule : options.keep) {
    keep.push_back(fmt::format("{}={}", rule.pattern, Name(rule.type)));
  }
  return {{"version", kVersion},
          {"--dtype", Name(options.type)},
          {"--portable", options.portable},
          {"--group", options.group == 0 ? DefaultGroup(options) : options.group},
          {"--keep", std::move(keep)},
          {"--shard-size", options.shard_bytes},
          {"--calibrate", options.importance_id},
          {"source", SourceFiles(checkpoint.path)}};
}

Result<QuantizeState> ReadQuantizeState(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  RINGLET_ASSIGN_OR_RETURN(const OrderedJson json, ParseOrderedJson(text, path));
  const auto damaged = [&](std::string_view field) {
    return BadInput(path, field, "something else", "what an interrupted run writes");
  };
  if (!json.is_object() || !json.contains("identity") || !json["identity"].is_object()) {
    return damaged("identity");
  }
  if (!json.contains("shards") || !json["shards"].is_object()) return damaged("shards");
  QuantizeState state{.identity = json["identity"], .shards = {}};
  for (const auto& [file, shard] : json["shards"].items()) {
    if (!ReadShard(shard, &state.shards[file])) return damaged("shards: " + file);
  }
  return state;
}

Status WriteQuantizeState(const std::string& path, const QuantizeState& state) {
  OrderedJson shards = OrderedJson::object();
  for (const auto& [file, shard] : state.shards) {
    OrderedJson tensors = OrderedJson::array();
    for (const TensorReport& tensor : shard.tensors) tensors.push_back(TensorJson(tensor));
    shards[file] = {{"hash", shard.hash}, {"tensors", std::move(tensors)}};
  }
  const OrderedJson json = {{"identity", state.identity}, {"shards", std::move(shards)}};
  return WriteFile(path, json.dump() + "\n");
}

Status CheckSameRun(const std::string& path, const OrderedJson& found,
                    const OrderedJson& expected) {
  for (const auto& [key, value] : expected.items()) {
    const OrderedJson before = found.contains(key) ? found[key] : OrderedJson();
    if (before == value) continue;
    if (key == "source") {
      return BadInput(path, key, "an interrupted run on other or changed files",
                      "the same source, or another output directory");
    }
    return BadInput(path, key, fmt::format("an interrupted run with {}", JsonBrief(Json(before))),
                    fmt::format("{}, or another output directory", JsonBrief(Json(value))));
  }
  return Status::Ok();
}

Result<uint64_t> HashFile(const std::string& path) {
  RINGLET_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path));
  Hasher hash;
  constexpr size_t kPiece = size_t{16} << 20;
  const std::span<const std::byte> bytes = file->bytes();
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
    hash.Add(piece);
    file->Advise(piece, Access::kDone);
  }
  return hash.Digest();
}

}  // namespace ringlet
