// Memory of the machine.
#pragma once

#include <cstdint>

namespace ringlet {

// Bytes that can be allocated without swapping, as the operating system estimates; 0: unknown.
uint64_t AvailableMemory();

// The largest resident set this process has had, in bytes; 0: unknown.
uint64_t PeakResidentBytes();

}  // namespace ringlet
