// Where the packed form of a checkpoint is kept on disk between runs.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "model/checkpoint.h"

namespace ringlet {

// A file name, in `directory`, for the packed form of `checkpoint`: it changes with the files that
// the checkpoint was read from (names, sizes, times of change), with every tensor's name, type and
// shape, and with the version of packing.
std::string PackCachePath(const std::string& directory, const Checkpoint& checkpoint);

// Removes packed forms of the same checkpoint path in the same directory, except `keep`.
void RemoveOldPacks(const std::string& keep, const Checkpoint& checkpoint);

// Whether a file of `bytes` fits on the disk of `directory` with a tenth of it to spare. Creates
// the directory.
bool RoomForPack(const std::string& directory, uint64_t bytes);

}  // namespace ringlet
