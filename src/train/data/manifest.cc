#include "train/data/manifest.h"

#include <limits>

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "io/json_fields.h"

namespace ringlet {
namespace {

constexpr std::string_view kFormat = "ringlet data";
constexpr int64_t kVersion = 1;
constexpr int64_t kMaxCount = std::numeric_limits<int64_t>::max();

std::string Hex(uint64_t value) { return fmt::format("{:016x}", value); }

Result<uint64_t> ReadHex(const JsonFields& fields, std::string_view key) {
  RINGLET_ASSIGN_OR_RETURN(const std::string text, fields.String(key));
  uint64_t value = 0;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'a' || c > 'f')) {
      return fields.Field(key)->Unexpected("16 hexadecimal digits");
    }
    value = value << 4 | static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  if (text.size() != 16) return fields.Field(key)->Unexpected("16 hexadecimal digits");
  return value;
}

Result<uint64_t> ReadCount(const JsonFields& fields, std::string_view key) {
  RINGLET_ASSIGN_OR_RETURN(const int64_t value, fields.Integer(key, kMaxCount));
  return static_cast<uint64_t>(value);
}

Result<ShardEntry> ReadShard(const JsonFields& fields, Split split, size_t index) {
  RINGLET_RETURN_IF_ERROR(
      fields.ExpectObject({"file", "tokens", "documents", "text_bytes", "tokens_hash"}));
  ShardEntry entry;
  RINGLET_ASSIGN_OR_RETURN(entry.file, fields.String("file"));
  if (const std::string name = ShardName(split, index); entry.file != name) {
    return fields.Field("file")->Unexpected(Quote(name));
  }
  RINGLET_ASSIGN_OR_RETURN(entry.tokens, ReadCount(fields, "tokens"));
  RINGLET_ASSIGN_OR_RETURN(entry.documents, ReadCount(fields, "documents"));
  RINGLET_ASSIGN_OR_RETURN(entry.text_bytes, ReadCount(fields, "text_bytes"));
  RINGLET_ASSIGN_OR_RETURN(entry.tokens_hash, ReadHex(fields, "tokens_hash"));
  return entry;
}

Status ReadSplits(const JsonFields& root, DataManifest& manifest) {
  RINGLET_ASSIGN_OR_RETURN(const JsonFields splits, root.Field("splits"));
  RINGLET_RETURN_IF_ERROR(splits.ExpectObject({"train", "heldout"}));
  for (const Split split : kSplits) {
    RINGLET_ASSIGN_OR_RETURN(const JsonFields list, splits.Field(Name(split)));
    RINGLET_RETURN_IF_ERROR(list.ExpectArray());
    for (size_t i = 0; i < list.value().size(); ++i) {
      RINGLET_ASSIGN_OR_RETURN(ShardEntry entry, ReadShard(list.Element(i), split, i));
      manifest.splits[static_cast<size_t>(split)].push_back(std::move(entry));
    }
  }
  return Status::Ok();
}

Status ReadResume(const JsonFields& root, DataManifest& manifest) {
  if (!root.Has("resume")) return Status::Ok();
  RINGLET_ASSIGN_OR_RETURN(const JsonFields resume, root.Field("resume"));
  RINGLET_RETURN_IF_ERROR(resume.ExpectObject({"train", "heldout"}));
  manifest.resume.emplace();
  for (const Split split : kSplits) {
    RINGLET_ASSIGN_OR_RETURN(const JsonFields place, resume.Field(Name(split)));
    RINGLET_RETURN_IF_ERROR(place.ExpectObject({"file", "offset"}));
    DocumentPosition& position = (*manifest.resume)[static_cast<size_t>(split)];
    RINGLET_ASSIGN_OR_RETURN(position.file, ReadCount(place, "file"));
    RINGLET_ASSIGN_OR_RETURN(position.offset, ReadCount(place, "offset"));
  }
  return Status::Ok();
}

}  // namespace

std::string_view Name(Split split) { return split == Split::kTrain ? "train" : "heldout"; }

std::optional<Split> SplitFromName(std::string_view name) {
  for (const Split split : kSplits) {
    if (Name(split) == name) return split;
  }
  return std::nullopt;
}

std::string ShardName(Split split, size_t index) {
  return fmt::format("{}-{:05}.shard", Name(split), index);
}

std::string ManifestText(const DataManifest& manifest) {
  OrderedJson json{{"format", kFormat},
                   {"version", kVersion},
                   {"run", manifest.run},
                   {"vocab_size", manifest.vocab_size},
                   {"vocabulary", Hex(manifest.vocabulary)}};
  json["end_id"] = manifest.end_id ? OrderedJson(*manifest.end_id) : OrderedJson();
  json["empty_documents"] = manifest.empty_documents;
  json["skipped_documents"] = manifest.skipped_documents;
  for (const Split split : kSplits) {
    OrderedJson list = OrderedJson::array();
    for (const ShardEntry& entry : manifest.Of(split)) {
      list.push_back({{"file", entry.file},
                      {"tokens", entry.tokens},
                      {"documents", entry.documents},
                      {"text_bytes", entry.text_bytes},
                      {"tokens_hash", Hex(entry.tokens_hash)}});
    }
    json["splits"][std::string(Name(split))] = std::move(list);
  }
  if (manifest.resume) {
    for (const Split split : kSplits) {
      const DocumentPosition& position = (*manifest.resume)[static_cast<size_t>(split)];
      json["resume"][std::string(Name(split))] = {{"file", position.file},
                                                  {"offset", position.offset}};
    }
  }
  return json.dump(1) + "\n";
}

Result<DataManifest> ParseManifest(std::string_view text, const std::string& source) {
  RINGLET_ASSIGN_OR_RETURN(const Json document, ParseJson(text, source));
  const JsonFields root(document, source, "");
  RINGLET_RETURN_IF_ERROR(
      root.ExpectObject({"format", "version", "run", "vocab_size", "vocabulary", "end_id",
                         "empty_documents", "skipped_documents", "splits", "resume"}));
  RINGLET_ASSIGN_OR_RETURN(const std::string format, root.String("format"));
  if (format != kFormat) return root.Field("format")->Unexpected(Quote(kFormat));
  RINGLET_ASSIGN_OR_RETURN(const int64_t version, root.Integer("version", kMaxCount));
  if (version != kVersion) return root.Field("version")->Unsupported(fmt::to_string(kVersion));
  DataManifest manifest;
  RINGLET_ASSIGN_OR_RETURN(manifest.run, root.String("run"));
  RINGLET_ASSIGN_OR_RETURN(const int64_t vocab,
                           root.Integer("vocab_size", static_cast<int64_t>(Shard::kMaxVocab)));
  if (vocab == 0) return root.Field("vocab_size")->Unexpected("at least 1");
  manifest.vocab_size = static_cast<uint64_t>(vocab);
  RINGLET_ASSIGN_OR_RETURN(manifest.vocabulary, ReadHex(root, "vocabulary"));
  if (root.Has("end_id")) {
    RINGLET_ASSIGN_OR_RETURN(const int64_t id, root.Integer("end_id", vocab - 1));
    manifest.end_id = static_cast<int32_t>(id);
  }
  RINGLET_ASSIGN_OR_RETURN(manifest.empty_documents, ReadCount(root, "empty_documents"));
  RINGLET_ASSIGN_OR_RETURN(manifest.skipped_documents, ReadCount(root, "skipped_documents"));
  RINGLET_RETURN_IF_ERROR(ReadSplits(root, manifest));
  RINGLET_RETURN_IF_ERROR(ReadResume(root, manifest));
  return manifest;
}

}  // namespace ringlet
