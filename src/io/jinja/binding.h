// Binds the arguments of a call to a declared parameter list.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "io/jinja/value.h"

namespace ringlet::jinja {

constexpr size_t kMaxParameters = 5;

// What a filter, test, method or function accepts. `parameters` ends at the first empty name.
struct Signature {
  std::array<std::string_view, kMaxParameters> parameters = {};
  size_t required = 0;
  bool variadic = false;  // takes any arguments; the callee reads them itself
};

class BoundArguments {
 public:
  // Fails, naming `callee`, when the arguments do not fit the signature.
  BoundArguments(std::string_view callee, const Signature& signature, const Arguments& arguments);

  const Arguments& all() const { return all_; }

  // Parameter `index` as passed, or null.
  const Value* Get(size_t index) const { return values_[index]; }
  bool Has(size_t index) const { return values_[index] != nullptr; }
  // Absent and none are the same to these.
  bool Given(size_t index) const { return Has(index) && !values_[index]->IsNone(); }

  // With conversion, or the default when absent. They fail on another kind, naming the parameter.
  bool Flag(size_t index, bool otherwise) const;
  int64_t Integer(size_t index, int64_t otherwise) const;
  std::string_view Text(size_t index, std::string_view otherwise) const;

 private:
  [[noreturn]] void FailKind(size_t index, std::string_view expected) const;

  const std::string_view callee_;
  const Signature& signature_;
  const Arguments& all_;
  std::array<const Value*, kMaxParameters> values_ = {};
};

}  // namespace ringlet::jinja
