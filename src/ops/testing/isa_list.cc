#include "ops/testing/isa_list.h"

#include "base/cpu_features.h"

namespace ringlet::testing {

#if defined(RINGLET_SIMD_EMULATED)

std::vector<std::string> TestIsas() { return {"avx512_vnni", "avx512_bf16"}; }

Result<IsaChoice> ChooseTestIsa(const std::string& name) {
  if ((DetectCpu().features & kCpuAvx2Fma) == 0) {
    return Status(StatusCode::kUnsupported, "emulated AVX-512 needs a processor with AVX2");
  }
  return IsaChoice::Force(name, IsaMask(name));
}

#else

std::vector<std::string> TestIsas() {
#if defined(__x86_64__)
  return {"scalar", "avx2", "avx512_vnni", "avx512_bf16"};
#elif defined(__aarch64__)
  return {"scalar", "neon", "neon_dotprod"};
#else
  return {"scalar"};
#endif
}

Result<IsaChoice> ChooseTestIsa(const std::string& name) { return IsaChoice::Force(name); }

#endif

}  // namespace ringlet::testing
