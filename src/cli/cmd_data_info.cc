// ringlet data info: what a data directory holds.
#include <algorithm>
#include <bit>
#include <map>

#include <fmt/format.h>

#include "base/format.h"
#include "base/json.h"
#include "cli/args.h"
#include "cli/command.h"
#include "train/data/shard_set.h"

namespace ringlet::cli {
namespace {

constexpr uint64_t kBar = 40;  // columns

struct SplitInfo {
  uint64_t shards = 0;
  uint64_t documents = 0;
  uint64_t tokens = 0;
  uint64_t text_bytes = 0;
  uint64_t longest = 0;               // tokens of a document
  std::map<int, uint64_t> histogram;  // documents of [2^k, 2^(k+1)) tokens, by k

  double BytesPerToken() const {
    return static_cast<double>(text_bytes) / static_cast<double>(tokens);
  }
};

SplitInfo Describe(const ShardSet& data) {
  SplitInfo info;
  info.shards = data.shards().size();
  for (const auto& shard : data.shards()) {
    const ShardHeader& header = shard->header();
    info.documents += header.documents;
    info.tokens += header.tokens;
    info.text_bytes += header.text_bytes;
    for (uint64_t d = 0; d < header.documents; ++d) {
      const uint64_t length = shard->DocumentStart(d + 1) - shard->DocumentStart(d);
      info.longest = std::max(info.longest, length);
      ++info.histogram[std::bit_width(length) - 1];
    }
  }
  return info;
}

OrderedJson InfoJson(const SplitInfo& info) {
  OrderedJson json{{"shards", info.shards},
                   {"documents", info.documents},
                   {"tokens", info.tokens},
                   {"text_bytes", info.text_bytes},
                   {"bytes_per_token", info.BytesPerToken()},
                   {"longest_document", info.longest}};
  json["document_lengths"] = OrderedJson::array();
  for (const auto& [k, count] : info.histogram) {
    json["document_lengths"].push_back(
        {{"from", uint64_t{1} << k}, {"to", (uint64_t{2} << k) - 1}, {"documents", count}});
  }
  return json;
}

void PrintInfo(Split split, const SplitInfo& info) {
  fmt::print("{}: {} tokens in {} documents, {} shards\n", Name(split), FormatCount(info.tokens),
             FormatCount(info.documents), FormatCount(info.shards));
  fmt::print("  {} of text, {:.2f} bytes per token, longest document {} tokens\n",
             FormatBytes(info.text_bytes), info.BytesPerToken(), FormatCount(info.longest));
  uint64_t most = 1;
  for (const auto& [k, count] : info.histogram) most = std::max(most, count);
  for (const auto& [k, count] : info.histogram) {
    const std::string range =
        fmt::format("{} to {}", FormatCount(uint64_t{1} << k), FormatCount((uint64_t{2} << k) - 1));
    fmt::print("  {:>26} tokens {:>12} {}\n", range, FormatCount(count),
               std::string(static_cast<size_t>((count * kBar + most - 1) / most), '#'));
  }
}

class DataInfoCommand : public Command {
 public:
  std::string_view name() const override { return "info"; }
  std::string_view summary() const override { return "Show what a data directory holds"; }
  std::string_view footer() const override { return "Example:\n  ringlet data info data --verify"; }

  void Declare(Args& args) override {
    args.Positional("DIR", directory_, "Directory that ringlet data shards wrote");
    args.Flag("--verify", verify_, "Read every token and compare the checksums");
    args.Flag("--json", json_, "Print one JSON object");
  }

  Outcome Run(const GlobalOptions&) override {
    RINGLET_ASSIGN_OR_RETURN(const DataManifest manifest, ReadManifest(directory_));
    OrderedJson json{{"vocab_size", manifest.vocab_size},
                     {"vocabulary", fmt::format("{:016x}", manifest.vocabulary)}};
    json["end_id"] = manifest.end_id ? OrderedJson(*manifest.end_id) : OrderedJson();
    json["empty_documents"] = manifest.empty_documents;
    json["skipped_documents"] = manifest.skipped_documents;
    json["verified"] = verify_;
    json["splits"] = OrderedJson::object();
    for (const Split split : kSplits) {
      if (manifest.Of(split).empty()) continue;
      RINGLET_ASSIGN_OR_RETURN(const auto data, ShardSet::Open(directory_, split));
      if (verify_) RINGLET_RETURN_IF_ERROR(data->Verify());
      const SplitInfo info = Describe(*data);
      if (json_) {
        json["splits"][std::string(Name(split))] = InfoJson(info);
      } else {
        PrintInfo(split, info);
      }
    }
    if (json_) {
      fmt::print("{}\n", json.dump(2));
    } else if (verify_) {
      fmt::print("every checksum agrees\n");
    }
    return {};
  }

 private:
  std::string directory_;
  bool verify_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeDataInfoCommand() { return std::make_unique<DataInfoCommand>(); }

}  // namespace ringlet::cli
