// Sessions on disk: what was computed for a conversation, so that it can go on after a restart.
//
//   GET    /sessions           {"sessions": [{"name", "bytes"}]}
//   POST   /sessions/save      {"name", "messages", ... | "prompt"}: what is kept of this beginning
//   POST   /sessions/restore   {"name"}: into the prefix cache
//   DELETE /sessions/{name}
//
// Files are those of engine/session_file.h: versioned, checksummed, refused when the model, the
// arithmetic or the kernels differ.
#pragma once

#include <memory>
#include <string>

#include "base/json.h"
#include "server/api/served_model.h"
#include "server/http/exchange.h"

namespace ringlet {

// Each answers 404 unless ServedModel::session_directory is set.
void ListSessions(const ServedModel& model, const std::shared_ptr<Exchange>& exchange);
void SaveConversation(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                      const OrderedJson& body);
void RestoreConversation(const ServedModel& model, std::shared_ptr<Exchange> exchange,
                         const OrderedJson& body);
void DeleteSession(const ServedModel& model, const std::shared_ptr<Exchange>& exchange,
                   const std::string& name);

}  // namespace ringlet
