// What this machine can do, measured: the limits that speeds are held against.
//
// Peaks are those of chains of multiply-adds on registers, with the widest instructions that an
// IsaChoice allows; bandwidth is that of reading memory that no cache holds. Every figure is the
// best of many short runs, since disturbances only slow a run down. Operations count a
// multiply-add as two.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"
#include "ops/context.h"

namespace ringlet {

struct MachineRates {
  double read_bytes = 0;  // bytes per second read from memory
  double fp32_ops = 0;    // fp32 operations per second
  // BF16 products added in fp32. Without such an instruction the fp32 rate: weights are widened.
  double bf16_ops = 0;
  // 8-bit products added in integers. Without a vector instruction for them the fp32 rate.
  double int8_ops = 0;
};

struct MachineLimits {
  MachineRates one_thread;   // in processor time: what other programs take does not count
  MachineRates all_threads;  // all threads of the context together
  int threads = 1;
  bool has_bf16 = false;  // bf16_ops is the rate of an instruction of its own
  bool has_int8 = false;
};

// Memory larger than the caches, in huge pages where the system allows.
class ReadProbe {
 public:
  // Allocates and writes it with the threads of `context`: several times the last-level cache, 256
  // to 512 MiB, less on machines with little memory. Errors: kResource.
  static Result<ReadProbe> Create(Context& context);
  ReadProbe(ReadProbe&& other) noexcept;
  ReadProbe& operator=(ReadProbe&&) = delete;
  ~ReadProbe();

  // Bytes per second that all threads of `context` read together: the best of `passes` passes.
  double AllThreads(Context& context, int passes) const;
  // The same for the calling thread alone, in its processor time.
  double OneThread(const Context& context, int passes) const;
  int64_t bytes() const { return bytes_; }

 private:
  ReadProbe(std::byte* data, int64_t bytes) : data_(data), bytes_(bytes) {}

  std::byte* data_;
  int64_t bytes_;
};

// Operations per second of all threads in the units that multiply BF16, or fp32, matrices. Takes a
// fraction of a second.
double MatrixPeak(Context& context, bool bf16);

// Takes one to three seconds.
MachineLimits MeasureLimits(Context& context, const ReadProbe& probe);

}  // namespace ringlet
