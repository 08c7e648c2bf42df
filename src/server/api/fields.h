// Fields of a request's JSON object, read by name and checked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace ringlet {

// The first thing that is wrong is remembered; from then on everything reads as absent, so that a
// request is read in one go and asked once. JSON null is absent.
class Fields {
 public:
  // `path` is put before names in errors; empty for the body itself. `object` must outlive this.
  explicit Fields(const OrderedJson& object, std::string path = "");

  std::optional<bool> Bool(std::string_view key);
  std::optional<int64_t> Integer(std::string_view key, int64_t min, int64_t max);
  std::optional<double> Number(std::string_view key, double min, double max);
  std::optional<std::string> String(std::string_view key);
  // A string, or an array of strings of which none is empty.
  std::optional<std::vector<std::string>> Strings(std::string_view key, size_t max);
  // One of `values`.
  std::optional<std::string> OneOf(std::string_view key,
                                   std::initializer_list<std::string_view> values);
  const OrderedJson* Object(std::string_view key);
  const OrderedJson* Array(std::string_view key);
  // Of any type.
  const OrderedJson* Any(std::string_view key);
  // Known, without effect here.
  void Ignore(std::initializer_list<std::string_view> keys);

  void Fail(std::string_view key, std::string_view found, std::string_view expected);
  // As Fail, with an error from elsewhere.
  void Fail(std::string_view key, const Status& status);
  bool failed() const { return !status_.ok(); }

  // The first error: a wrong value, else a key that was never read.
  Status Finish();
  // The field that the error is about, with its path.
  const std::string& param() const { return param_; }

 private:
  std::string PathOf(std::string_view key) const;

  const OrderedJson& object_;
  const std::string path_;
  std::set<std::string, std::less<>> read_;
  Status status_;
  std::string param_;
};

}  // namespace ringlet
