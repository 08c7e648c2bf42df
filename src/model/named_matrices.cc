#include "model/named_matrices.h"

#include <variant>

#include <fmt/format.h>

namespace ringlet {
namespace {

using Named = std::vector<std::pair<std::string, const PackedMatrix*>>;

void AddMlp(const std::string& prefix, const Mlp& mlp, Named& out) {
  out.emplace_back(prefix + "gate_up", &mlp.gate_up);
  out.emplace_back(prefix + "down", &mlp.down);
}

void AddBlock(const std::string& prefix, const Block& block, Named& out) {
  std::visit(
      [&](const auto& mixer) {
        out.emplace_back(prefix + "attention.qkv", &mixer.qkv);
        if constexpr (requires { mixer.gate; }) {
          out.emplace_back(prefix + "attention.gate", &mixer.gate);
        }
        out.emplace_back(prefix + "attention.out", &mixer.out);
      },
      block.mixer);
  if (const auto* mlp = std::get_if<Mlp>(&block.feed_forward)) return AddMlp(prefix, *mlp, out);
  const auto& moe = std::get<Moe>(block.feed_forward);
  out.emplace_back(prefix + "router", &moe.router);
  for (size_t e = 0; e < moe.experts.size(); ++e) {
    AddMlp(fmt::format("{}experts.{}.", prefix, e), moe.experts[e], out);
  }
  if (moe.shared) AddMlp(prefix + "shared.", *moe.shared, out);
}

}  // namespace

Named NamedMatrices(const PackedModel& model) {
  Named out;
  for (size_t l = 0; l < model.blocks.size(); ++l) {
    AddBlock(fmt::format("layers.{}.", l), model.blocks[l], out);
  }
  for (size_t m = 0; m < model.mtp.size(); ++m) {
    const std::string prefix = fmt::format("mtp.{}.", m);
    out.emplace_back(prefix + "projection", &model.mtp[m].projection);
    AddBlock(prefix, model.mtp[m].block, out);
  }
  out.emplace_back("head", &model.head);
  return out;
}

}  // namespace ringlet
