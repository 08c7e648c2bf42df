#include "train/data/data_sampler.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "base/check.h"
#include "base/rng.h"
#include "io/json_fields.h"
#include "train/data/permutation.h"

namespace ringlet {
namespace {

// Keys for different purposes never meet.
constexpr uint64_t kWindowOrder = 1;
constexpr uint64_t kChunkOrder = 2;
constexpr uint64_t kChunkOffset = 3;

std::string Field(size_t s, std::string_view key) { return fmt::format("sources[{}].{}", s, key); }

// The weights as whole numbers of kWindow, by largest remainders.
Result<std::vector<uint64_t>> Shares(const std::vector<MixtureSource>& sources) {
  double total = 0;
  for (size_t s = 0; s < sources.size(); ++s) {
    const double weight = sources[s].weight;
    if (!(weight > 0) || !std::isfinite(weight)) {
      return BadInput("mixture", Field(s, "weight"), fmt::to_string(weight), "a positive number");
    }
    total += weight;
  }
  if (!std::isfinite(total))
    return BadInput("mixture", "weights", "an endless sum", "smaller ones");
  std::vector<uint64_t> shares(sources.size());
  std::vector<double> rest(sources.size());
  for (size_t s = 0; s < sources.size(); ++s) {
    const double exact = sources[s].weight / total * static_cast<double>(DataSampler::kWindow);
    // 0.7 of 1000 must not become 699 for the last bit of a double.
    const double whole = std::floor(exact + 1e-9);
    shares[s] = static_cast<uint64_t>(whole);
    rest[s] = exact - whole;
  }
  std::vector<size_t> order(sources.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return rest[a] > rest[b]; });
  const uint64_t given = std::accumulate(shares.begin(), shares.end(), uint64_t{0});
  for (uint64_t i = given; i < DataSampler::kWindow; ++i)
    ++shares[order[(i - given) % order.size()]];
  for (size_t s = 0; s < sources.size(); ++s) {
    if (shares[s] > 0) continue;
    return BadInput("mixture", Field(s, "weight"),
                    fmt::format("{} of {}", sources[s].weight, total),
                    fmt::format("at least 1/{} of all", DataSampler::kWindow));
  }
  return shares;
}

}  // namespace

Result<DataSampler> DataSampler::Create(std::vector<MixtureSource> sources, int64_t length,
                                        uint64_t seed) {
  if (sources.empty() || sources.size() > kWindow) {
    return BadInput("mixture", "sources", fmt::to_string(sources.size()),
                    fmt::format("1 to {}", kWindow));
  }
  if (length < 1 || length > kMaxLength) {
    return BadInput("mixture", "length", fmt::to_string(length),
                    fmt::format("1 to {}", kMaxLength));
  }
  const DataManifest& first = sources.front().data->manifest();
  for (const MixtureSource& source : sources) {
    const DataManifest& manifest = source.data->manifest();
    if (manifest.vocabulary != first.vocabulary) {
      return BadInput(source.data->directory(), "vocabulary",
                      fmt::format("{:016x}", manifest.vocabulary),
                      fmt::format("{:016x} of {}: tokens of one tokenizer", first.vocabulary,
                                  sources.front().data->directory()));
    }
    if (source.data->tokens() < static_cast<uint64_t>(length)) {
      return BadInput(source.data->directory(), "", fmt::format("{} tokens", source.data->tokens()),
                      fmt::format("a sequence of {} at least", length));
    }
  }
  RINGLET_ASSIGN_OR_RETURN(std::vector<uint64_t> shares, Shares(sources));
  return DataSampler(std::move(sources), std::move(shares), length, seed);
}

uint64_t DataSampler::Key(uint64_t purpose, uint64_t a, uint64_t b) const {
  uint64_t key = seed_;
  for (const uint64_t part : {purpose, a, b}) key = Rng(key ^ part).Next();
  return key;
}

size_t DataSampler::SourceOfSlot(uint64_t slot) const {
  size_t s = 0;
  while (slot >= shares_[s]) slot -= shares_[s++];
  return s;
}

DataSampler::Draw DataSampler::DrawOf(uint64_t index) const {
  const uint64_t window = index / kWindow;
  const uint64_t place = index % kWindow;
  const Permutation order(kWindow, Key(kWindowOrder, window, 0));
  Draw draw;
  draw.source = SourceOfSlot(order(place));
  draw.number = window * shares_[draw.source];
  if (sources_.size() == 1) {
    draw.number += place;
    return draw;
  }
  for (uint64_t before = 0; before < place; ++before) {
    if (SourceOfSlot(order(before)) == draw.source) ++draw.number;
  }
  return draw;
}

Status DataSampler::At(uint64_t index, PackedSequence& sequence) const {
  RINGLET_CHECK(index < kMaxPosition, "a position below the limit");
  const Draw draw = DrawOf(index);
  const ShardSet& data = *sources_[draw.source].data;
  const uint64_t length = Length();
  const uint64_t chunks = EpochSequences(draw.source);
  const uint64_t epoch = draw.number / chunks;
  const uint64_t chunk =
      Permutation(chunks, Key(kChunkOrder, draw.source, epoch))(draw.number % chunks);
  const uint64_t slack = data.tokens() - chunks * length;
  const uint64_t offset = Rng(Key(kChunkOffset, draw.source, epoch)).Below(slack + 1);
  const uint64_t begin = offset + chunk * length;
  const uint64_t end = begin + length;

  // One token more where there is one: the target of the last.
  const bool more = end < data.tokens();
  sequence.tokens.resize(length + (more ? 1 : 0));
  RINGLET_RETURN_IF_ERROR(data.Read(begin, sequence.tokens));
  sequence.targets.assign(sequence.tokens.begin() + 1, sequence.tokens.end());
  sequence.targets.resize(length, PackedSequence::kNoTarget);
  sequence.tokens.resize(length);
  std::vector<uint64_t> starts;
  data.DocumentStarts(begin + 1, end + 1, starts);
  sequence.starts.assign(1, 0);
  for (const uint64_t start : starts) {
    sequence.targets[start - begin - 1] = PackedSequence::kNoTarget;
    if (start < end) sequence.starts.push_back(static_cast<int32_t>(start - begin));
  }
  sequence.source = draw.source;
  sequence.epoch = epoch;
  sequence.begin = begin;
  return Status::Ok();
}

Status DataSampler::Next(PackedSequence& sequence) {
  RINGLET_RETURN_IF_ERROR(At(position_, sequence));
  ++position_;
  return Status::Ok();
}

Json DataSampler::SavePosition() const {
  Json saved{{"version", 1}, {"sequence", position_}, {"length", length_}};
  // JSON readers lose the last bits of large numbers.
  saved["seed"] = fmt::format("{:016x}", seed_);
  for (size_t s = 0; s < sources_.size(); ++s) {
    saved["sources"].push_back(
        {{"data", fmt::format("{:016x}", sources_[s].data->fingerprint())}, {"share", shares_[s]}});
  }
  return saved;
}

Status DataSampler::RestorePosition(const Json& saved, const std::string& source) {
  const JsonFields fields(saved, source, "");
  RINGLET_RETURN_IF_ERROR(
      fields.ExpectObject({"version", "sequence", "length", "seed", "sources"}));
  RINGLET_ASSIGN_OR_RETURN(const int64_t sequence,
                           fields.Integer("sequence", static_cast<int64_t>(kMaxPosition) - 1));
  const Json here = SavePosition();
  for (const std::string_view key : {"version", "length", "seed"}) {
    RINGLET_ASSIGN_OR_RETURN(const JsonFields field, fields.Field(key));
    const Json& expected = here[std::string(key)];
    if (field.value() != expected) return field.Unexpected(JsonBrief(expected));
  }
  RINGLET_ASSIGN_OR_RETURN(const JsonFields sources, fields.Field("sources"));
  RINGLET_RETURN_IF_ERROR(sources.ExpectArray());
  if (sources.value().size() != sources_.size()) {
    return BadInput(source, "sources", fmt::to_string(sources.value().size()),
                    fmt::to_string(sources_.size()));
  }
  for (size_t s = 0; s < sources_.size(); ++s) {
    const JsonFields entry = sources.Element(s);
    RINGLET_RETURN_IF_ERROR(entry.ExpectObject({"data", "share"}));
    for (const std::string_view key : {"data", "share"}) {
      RINGLET_ASSIGN_OR_RETURN(const JsonFields field, entry.Field(key));
      const Json& expected = here["sources"][s][std::string(key)];
      if (field.value() != expected) return field.Unexpected(JsonBrief(expected));
    }
  }
  position_ = static_cast<uint64_t>(sequence);
  return Status::Ok();
}

}  // namespace ringlet
