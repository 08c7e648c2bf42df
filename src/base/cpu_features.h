// What the processor can execute, and which instruction sets this process may use.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ringlet {

// Bits of a feature mask. A kernel table names the bits it needs.
enum CpuFeature : uint32_t {
  kCpuAvx2Fma = 1u << 0,  // AVX2 + FMA + F16C, with OS support for ymm state
  kCpuAvx512 = 1u << 1,   // AVX-512 F/BW/DQ/VL/CD, with OS support for zmm state
  kCpuAvx512Vnni = 1u << 2,
  kCpuAvx512Bf16 = 1u << 3,
  kCpuNeon = 1u << 4,         // every 64-bit Arm processor
  kCpuNeonDotprod = 1u << 5,  // products of four bytes added in 32 bits
};

struct CpuInfo {
  uint32_t features = 0;   // bitwise or of CpuFeature
  std::string model_name;  // as the operating system reports it, may be empty
  int usable_cores = 1;    // after affinity and cgroup limits
};

CpuInfo DetectCpu();

// The instruction sets a kernel may be compiled for, best first. Each later one is a subset.
struct IsaLevel {
  std::string_view name;  // "avx512_bf16", ..., "scalar"
  uint32_t required;      // feature bits
};
const std::vector<IsaLevel>& IsaLevels();

// The feature mask of a named level, or nullopt-like 0xffffffff when the name is unknown.
inline constexpr uint32_t kUnknownIsa = 0xffffffffu;
uint32_t IsaMask(std::string_view name);

}  // namespace ringlet
