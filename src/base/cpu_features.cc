#include "base/cpu_features.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace ringlet {
namespace {

#if defined(__x86_64__)
// The processor's own report is not enough: the OS must also save the wider registers.
uint64_t EnabledRegisterState() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (1u << 27)) == 0) return 0;
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<uint64_t>(high) << 32) | low;
}

uint32_t DetectFeatures() {
  uint32_t a = 0, b1 = 0, c1 = 0, d1 = 0;
  if (!__get_cpuid(1, &a, &b1, &c1, &d1)) return 0;
  uint32_t b7 = 0, c7 = 0, d7 = 0;
  if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return 0;
  uint32_t a71 = 0, b71 = 0, c71 = 0, d71 = 0;
  __get_cpuid_count(7, 1, &a71, &b71, &c71, &d71);
  const uint64_t state = EnabledRegisterState();
  const auto has = [](uint32_t word, int bit) { return (word >> bit & 1u) != 0; };

  uint32_t features = 0;
  const bool ymm = (state & 0x6) == 0x6;
  if (ymm && has(b7, 5) && has(c1, 12) && has(c1, 29)) features |= kCpuAvx2Fma;
  const bool zmm = (state & 0xe6) == 0xe6;
  const bool avx512 = has(b7, 16) && has(b7, 17) && has(b7, 28) && has(b7, 30) && has(b7, 31);
  if (zmm && avx512 && (features & kCpuAvx2Fma) != 0) {
    features |= kCpuAvx512;
    if (has(c7, 11)) features |= kCpuAvx512Vnni;
    if (has(a71, 5)) features |= kCpuAvx512Bf16;
  }
  return features;
}
#elif defined(__aarch64__)
uint32_t DetectFeatures() {
  const bool dotprod = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
  return dotprod ? kCpuNeon | kCpuNeonDotprod : kCpuNeon;
}
#else
uint32_t DetectFeatures() { return 0; }
#endif

std::string ReadModelName() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t colon = line.find(": ");
    return colon == std::string::npos ? "" : line.substr(colon + 2);
  }
  return "";
}

// Cores granted by the cgroup's CPU quota, or `otherwise` when there is none.
int CgroupCores(int otherwise) {
  std::ifstream limit("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(limit >> quota >> period) || quota == "max" || period <= 0) return otherwise;
  std::istringstream text(quota);
  double value = 0;
  if (!(text >> value)) return otherwise;
  return std::max(1, static_cast<int>(std::ceil(value / period)));
}

}  // namespace

CpuInfo DetectCpu() {
  CpuInfo info;
  info.features = DetectFeatures();
  info.model_name = ReadModelName();
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) info.usable_cores = CPU_COUNT(&set);
  info.usable_cores = std::max(1, std::min(info.usable_cores, CgroupCores(info.usable_cores)));
  return info;
}

const std::vector<IsaLevel>& IsaLevels() {
  static const std::vector<IsaLevel> levels = {
      {"avx512_bf16", kCpuAvx2Fma | kCpuAvx512 | kCpuAvx512Vnni | kCpuAvx512Bf16},
      {"avx512_vnni", kCpuAvx2Fma | kCpuAvx512 | kCpuAvx512Vnni},
      {"avx2", kCpuAvx2Fma},
      {"neon_dotprod", kCpuNeon | kCpuNeonDotprod},
      {"neon", kCpuNeon},
      {"scalar", 0},
  };
  return levels;
}

uint32_t IsaMask(std::string_view name) {
  for (const IsaLevel& level : IsaLevels()) {
    if (level.name == name) return level.required;
  }
  return kUnknownIsa;
}

}  // namespace ringlet
