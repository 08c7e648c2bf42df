// {"name": ..., "arguments": {...}}: calls in JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/chat/call_reader.h"
#include "server/chat/json_scanner.h"

namespace ringlet::server {

// The members may come in any order; "parameters" means "arguments". Arguments that come after the
// name are delivered as they arrive. Arguments may also be an object inside a string, or null or
// absent, which is an object without members; not in bare calls, which must not be mistaken for an
// answer in JSON. Other members are passed over, and end a bare call.
class JsonCallReader : public CallReader {
 public:
  JsonCallReader(const ToolSyntaxSpec& spec, CallEntry entry, const OrderedJson& tools,
                 CallEvents& events);

  Step Push(char c) override;

 private:
  enum class Member : uint8_t { kOther, kName, kArguments };
  enum class Arguments : uint8_t { kNone, kObject, kHeld };  // kHeld: a string or null

  bool Prefix(char c);
  bool Take(JsonScanner::Event event, char c);
  bool Key();
  bool NameByte(JsonScanner::Event event);
  bool ArgumentsByte(JsonScanner::Event event, char c);
  bool EndMember();
  bool Unpack();
  bool EndCall();
  void Deliver();
  bool KnownName() const;

  const ToolSyntaxSpec& spec_;
  const OrderedJson& tools_;
  CallEvents& events_;
  const bool bare_;
  bool list_pending_;       // the bracket of the list is still to come
  bool separator_allowed_;  // and may come before anything else
  bool in_object_ = false;
  JsonScanner scanner_;
  std::string token_;  // of a key, a name, or held arguments: as JSON
  bool in_value_ = false;
  Member member_ = Member::kOther;
  Arguments arguments_ = Arguments::kNone;
  std::optional<std::string> name_;
  std::string held_;  // arguments that wait for the name
};

}  // namespace ringlet::server
