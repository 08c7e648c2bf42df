// Memory of the machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ringlet {

// Bytes that can be allocated without swapping, as the operating system estimates; 0: unknown.
uint64_t AvailableMemory();

// Bytes of files or buffers that can stay in memory beside what is there. All there are: unknown.
uint64_t UsableMemory();

// The largest resident set this process has had, in bytes; 0: unknown.
uint64_t PeakResidentBytes();

// Starts reading mapped `bytes` from their file, if they are not in memory, and does not wait. A
// hint: failures have no effect.
void ReadSoon(std::span<const std::byte> bytes);

}  // namespace ringlet
