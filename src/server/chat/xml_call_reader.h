// <function=f><parameter=x>...</parameter></function>: calls in tags.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "engine/marker_finder.h"
#include "server/chat/call_reader.h"

namespace ringlet::server {

// The arguments' object is made from the parameters, in their order. A value is the text between
// the tags less one line break at either end: a string, unless the tool's schema gives the
// parameter another type and the text is JSON. Strings are delivered as they arrive. A value ends
// at the first
// </parameter>; where the text between tags makes no sense the object is closed and the rest is no
// part of the call.
class XmlCallReader : public CallReader {
 public:
  XmlCallReader(const ToolSyntaxSpec& spec, CallEntry entry, const OrderedJson& tools,
                CallEvents& events);

  Step Push(char c) override;
  void Finish() override;

 private:
  enum class State : uint8_t { kFunction, kName, kBetween, kKey, kValue };

  Step Between(char c);
  Step Name(char c);
  Step Value(char c);
  void ValueText(std::string_view text);
  void EndValue();
  Step Broken();
  void BeginCall();
  bool BeginParameter();
  const OrderedJson* Schema() const;

  const OrderedJson& tools_;
  CallEvents& events_;
  State state_;
  std::string name_;  // of the function
  std::string key_;   // of the parameter
  std::set<std::string> keys_;
  MarkerFinder value_end_;
  bool value_started_ = false;
  bool as_string_ = true;
  std::string value_;  // held, unless it is a string
};

}  // namespace ringlet::server
