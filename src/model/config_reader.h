// ConfigReader: typed reading of one JSON object of settings that remembers what was read.
//
// A mapping reads the keys it needs, checks the ones that may hold only one value and names the
// ones that cannot change the mathematics. Finish() then reports the first problem, or the first
// key that nobody asked for. After a problem every further read returns a placeholder, so that
// mappings stay straight-line code; nothing read may be used for an allocation before Finish() is
// ok.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace ringlet {

class ConfigReader {
 public:
  // `object` must outlive the reader. `source` is the file and `prefix` what precedes each key in
  // messages ("rope_scaling.", "llama.").
  ConfigReader(const Json& object, std::string source, std::string prefix = "");

  const std::string& source() const { return source_; }
  bool ok() const { return status_.ok(); }
  // The first problem so far.
  const Status& status() const { return status_; }

  // Present and not null. Does not count as reading.
  bool Has(std::string_view key) const;

  // Required values: absent or null is an error, and so is a value outside [min, max].
  int64_t Integer(std::string_view key, int64_t min, int64_t max);
  double Number(std::string_view key, double min, double max);
  std::string String(std::string_view key);

  // Optional values: nullopt when absent or null.
  std::optional<int64_t> OptionalInteger(std::string_view key, int64_t min, int64_t max);
  std::optional<double> OptionalNumber(std::string_view key, double min, double max);
  std::optional<std::string> OptionalString(std::string_view key);
  bool Flag(std::string_view key, bool absent);
  // One integer or a list of them (token ids); negative entries mean "none" and are dropped.
  std::vector<int64_t> OptionalIntegers(std::string_view key, int64_t max);
  // The value of `key` as an object, or nullptr when absent or null.
  const Json* OptionalObject(std::string_view key);

  // The value of `key`, whatever its type; null when absent.
  Json OptionalAny(std::string_view key);

  // When present and not null, `key` must equal `only`; other values are unsupported because `why`.
  void MustBe(std::string_view key, const Json& only, std::string_view why);
  // The keys are accepted with any value: they cannot change what the model computes.
  void Ignore(std::span<const std::string_view> keys);
  void Ignore(std::initializer_list<std::string_view> keys);
  // Any of these, when not null, is unsupported because `why`.
  void Refuse(std::initializer_list<std::string_view> keys, std::string_view why);

  // "source: key: found <value>, expected <expected>".
  void FailAt(std::string_view key, std::string_view expected);
  // As FailAt, for a value that is well formed but not implemented.
  void Unsupported(std::string_view key, std::string_view why);
  void Fail(Status status);

  // The first problem, else an error for the first key that was not read.
  Status Finish();

 private:
  // Marks the key as read; nullptr when absent or null, or after a problem.
  const Json* Read(std::string_view key);
  std::string Field(std::string_view key) const;
  std::string Found(std::string_view key) const;

  const Json& object_;
  std::string source_;
  std::string prefix_;
  std::set<std::string, std::less<>> read_;
  Status status_;
};

}  // namespace ringlet
