#include "server/chat/call_reader.h"

#include "server/chat/json_call_reader.h"
#include "server/chat/xml_call_reader.h"

namespace ringlet::server {

std::unique_ptr<CallReader> MakeCallReader(const ToolSyntaxSpec& spec, CallEntry entry,
                                           const OrderedJson& tools, CallEvents& events) {
  if (spec.json()) return std::make_unique<JsonCallReader>(spec, entry, tools, events);
  return std::make_unique<XmlCallReader>(spec, entry, tools, events);
}

}  // namespace ringlet::server
