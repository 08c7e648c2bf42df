#include "io/jinja/binding.h"

#include "io/jinja/error.h"
#include "io/jinja/operators.h"

namespace ringlet::jinja {

BoundArguments::BoundArguments(std::string_view callee, const Signature& signature,
                               const Arguments& arguments)
    : callee_(callee), signature_(signature), all_(arguments) {
  if (signature.variadic) return;
  size_t count = 0;
  while (count < kMaxParameters && !signature.parameters[count].empty()) ++count;
  if (arguments.positional.size() > count) {
    Fail("'{}' takes at most {} argument(s), found {}", callee, count, arguments.positional.size());
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    size_t index = 0;
    while (index < count && signature.parameters[index] != name) ++index;
    if (index == count) Fail("'{}' takes no argument '{}'", callee, name.substr(0, 60));
    if (values_[index] != nullptr) Fail("'{}' got two values for '{}'", callee, name);
    values_[index] = &value;
  }
  for (size_t i = 0; i < signature.required; ++i) {
    if (values_[i] == nullptr)
      Fail("'{}' needs the argument '{}'", callee, signature.parameters[i]);
  }
}

bool BoundArguments::Flag(size_t index, bool otherwise) const {
  return Has(index) ? IsTrue(*values_[index]) : otherwise;
}

int64_t BoundArguments::Integer(size_t index, int64_t otherwise) const {
  if (!Has(index)) return otherwise;
  if (!values_[index]->IsInteger()) FailKind(index, "an integer");
  return values_[index]->integer();
}

std::string_view BoundArguments::Text(size_t index, std::string_view otherwise) const {
  if (!Has(index)) return otherwise;
  if (!values_[index]->IsString()) FailKind(index, "a string");
  return values_[index]->text();
}

void BoundArguments::FailKind(size_t index, std::string_view expected) const {
  RequireDefined(*values_[index]);
  const std::string_view name = signature_.parameters[index];
  Fail("'{}': argument '{}' is {}, expected {}", callee_, name, TypeName(*values_[index]),
       expected);
}

}  // namespace ringlet::jinja
