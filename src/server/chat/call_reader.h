// Readers of one call of a tool, from after its opening marker.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/chat/tool_syntax.h"

namespace ringlet::server {

// Takes what a reader understood. Begin once, then any number of Arguments.
class CallEvents {
 public:
  virtual ~CallEvents() = default;
  virtual void Begin(std::string_view name) = 0;
  // More of the arguments' JSON text.
  virtual void Arguments(std::string_view text) = 0;
};

// A byte at a time, so that nothing depends on how the text was cut.
class CallReader {
 public:
  enum class Step {
    kMore,
    kDone,    // the byte was the call's last
    kBroken,  // the byte cannot follow and was not taken; the reader is of no further use
  };

  virtual ~CallReader() = default;
  virtual Step Push(char c) = 0;
  // The end of the text before the call's.
  virtual void Finish() {}

  // Bytes taken that are part of nothing delivered: of a call that did not begin, all of them.
  const std::string& raw() const { return raw_; }
  bool begun() const { return begun_; }
  // The arguments that were delivered are a whole object.
  bool complete() const { return complete_; }

 protected:
  std::string raw_;
  bool begun_ = false;
  bool complete_ = false;
};

// How a call is met.
enum class CallEntry {
  kMarker,        // after an opening marker
  kSecondMarker,  // after the second one, which the body's first tag is
  kNext,          // after a call, with a byte of `separators` or with the call's own first byte
  kBare,          // with the brace that begins the answer
};

// `tools` in the form that templates see (tools.h), or null; it and `events` outlive the reader.
// For a bare call the name must be one of a tool there.
std::unique_ptr<CallReader> MakeCallReader(const ToolSyntaxSpec& spec, CallEntry entry,
                                           const OrderedJson& tools, CallEvents& events);

}  // namespace ringlet::server
