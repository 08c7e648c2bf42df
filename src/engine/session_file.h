// Session files: a sequence on disk, so that a conversation continues without computing it again.
//
// A restored sequence gives the same bits as one that never left memory. The file names the model
// (fingerprint), the compute type and the kernels that produced it, and is refused when any of them
// differs; its contents are checksummed. Layout: docs/formats.md.
#pragma once

#include <string>

#include "base/status.h"
#include "engine/engine.h"

namespace ringlet {

// Written beside `path`, synced and renamed. Kept anchors are not saved: the restored sequence
// rolls back to any position of its tail directly and to earlier ones by computing again.
Status SaveSession(const Engine& engine, const Sequence& sequence, const std::string& path);

Result<Sequence> RestoreSession(const Engine& engine, const std::string& path);

}  // namespace ringlet
