// GGUF architectures: metadata to configuration, names to roles.
#include <gtest/gtest.h>

#include <functional>

#include "model/test_support.h"

namespace ringlet {
namespace {

constexpr int64_t kHidden = 32;
constexpr int64_t kFfn = 48;
constexpr int64_t kVocab = 40;

void AddDenseBlock(GgufBuilder& b, const std::string& block) {
  b.AddTensor(block + "ffn_gate.weight", {kFfn, kHidden});
  b.AddTensor(block + "ffn_up.weight", {kFfn, kHidden});
  b.AddTensor(block + "ffn_down.weight", {kHidden, kFfn});
}

GgufBuilder Common(const std::string& arch) {
  GgufBuilder b;
  b.Add("general.architecture", arch);
  b.Add("general.name", "test");
  b.Add(arch + ".embedding_length", 32u);
  b.Add(arch + ".feed_forward_length", 48u);
  b.Add(arch + ".attention.head_count", 4u);
  b.Add(arch + ".attention.head_count_kv", 2u);
  b.Add(arch + ".attention.layer_norm_rms_epsilon", 1e-5f);
  b.Add(arch + ".rope.freq_base", 50000.0f);
  b.Add(arch + ".context_length", 2048u);
  b.Add(arch + ".block_count", 2u);
  b.Add(arch + ".vocab_size", 40u);
  b.Add("tokenizer.ggml.eos_token_id", 2u);
  b.Add("tokenizer.ggml.bos_token_id", 1u);
  b.AddTensor("token_embd.weight", {kVocab, kHidden});
  b.AddTensor("output_norm.weight", {kHidden});
  for (const char* block : {"blk.0.", "blk.1."}) {
    b.AddTensor(std::string(block) + "attn_norm.weight", {kHidden});
    b.AddTensor(std::string(block) + "ffn_norm.weight", {kHidden});
    b.AddTensor(std::string(block) + "attn_output.weight", {kHidden, kHidden});
  }
  return b;
}

GgufBuilder Dense(const std::string& arch) {
  GgufBuilder b = Common(arch);
  for (const std::string block : {"blk.0.", "blk.1."}) {
    b.AddTensor(block + "attn_q.weight", {32, kHidden});
    b.AddTensor(block + "attn_k.weight", {16, kHidden});
    b.AddTensor(block + "attn_v.weight", {16, kHidden});
    if (arch == "qwen3") {
      b.AddTensor(block + "attn_q_norm.weight", {8});
      b.AddTensor(block + "attn_k_norm.weight", {8});
    }
    AddDenseBlock(b, block);
  }
  return b;
}

void AddMoeBlock(GgufBuilder& b, const std::string& block) {
  b.AddTensor(block + "ffn_gate_inp.weight", {8, kHidden});
  b.AddTensor(block + "exp_probs_b.bias", {8});
  b.AddTensor(block + "ffn_gate_exps.weight", {8, 16, kHidden});
  b.AddTensor(block + "ffn_up_exps.weight", {8, 16, kHidden});
  b.AddTensor(block + "ffn_down_exps.weight", {8, kHidden, 16});
  b.AddTensor(block + "ffn_gate_shexp.weight", {16, kHidden});
  b.AddTensor(block + "ffn_up_shexp.weight", {16, kHidden});
  b.AddTensor(block + "ffn_down_shexp.weight", {kHidden, 16});
}

GgufBuilder Bailing() {
  const std::string arch = "bailingmoe2";
  GgufBuilder b = Common(arch);
  b.Add(arch + ".rope.dimension_count", 4u);
  b.Add(arch + ".rope.scaling.type", "none");
  b.Add(arch + ".leading_dense_block_count", 1u);
  b.Add(arch + ".expert_count", 8u);
  b.Add(arch + ".expert_used_count", 2u);
  b.Add(arch + ".expert_group_count", 4u);
  b.Add(arch + ".expert_group_used_count", 2u);
  b.Add(arch + ".expert_feed_forward_length", 16u);
  b.Add(arch + ".expert_shared_count", 1u);
  b.Add(arch + ".expert_shared_feed_forward_length", 16u);
  b.Add(arch + ".expert_weights_scale", 2.5f);
  b.Add(arch + ".expert_weights_norm", true);
  b.Add(arch + ".expert_gating_func", 2u);
  b.AddTensor("output.weight", {kVocab, kHidden});
  for (const std::string block : {"blk.0.", "blk.1."}) {
    b.AddTensor(block + "attn_qkv.weight", {64, kHidden});
    b.AddTensor(block + "attn_q_norm.weight", {8});
    b.AddTensor(block + "attn_k_norm.weight", {8});
  }
  AddDenseBlock(b, "blk.0.");
  AddMoeBlock(b, "blk.1.");
  return b;
}

struct Bound {
  std::shared_ptr<const GgufFile> file;
  ModelConfig config;
  ModelWeights weights;
  Status status;
};

Bound BindAll(const GgufBuilder& builder) {
  Bound out{.file = builder.Build(), .config = {}, .weights = {}, .status = {}};
  auto config = MapGgufConfig(*out.file);
  out.status = config.status();
  if (!config.ok()) return out;
  out.config = *config;
  out.status = BindTensors(FindGgufArchitecture(*out.file).value()->bind, *out.file, out.config,
                           out.weights);
  return out;
}

TEST(GgufModel, Llama) {
  const Bound bound = BindAll(Dense("llama").Add("llama.rope.dimension_count", 8u));
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  const ModelConfig& c = bound.config;
  EXPECT_EQ(c.vocab, 40);
  EXPECT_EQ(c.hidden, 32);
  EXPECT_EQ(c.heads, 4);
  EXPECT_EQ(c.kv_heads, 2);
  EXPECT_EQ(c.head_dim, 8);
  EXPECT_EQ(c.dense_ffn, 48);
  EXPECT_EQ(c.norm_eps, static_cast<double>(1e-5f));
  EXPECT_EQ(c.rope.theta, 50000.0);
  EXPECT_EQ(c.rope.rotary_dim, 8);
  EXPECT_EQ(c.max_position, 2048);
  EXPECT_TRUE(c.tied_embeddings);
  EXPECT_FALSE(c.qk_norm);
  EXPECT_EQ(c.eos_ids, std::vector<int32_t>{2});
  EXPECT_EQ(c.bos_id, 1);
  ASSERT_EQ(bound.weights.layers.size(), 2u);
  const MatrixRef& qkv = bound.weights.layers[1].attention.qkv;
  ASSERT_EQ(qkv.segments.size(), 3u);
  EXPECT_EQ(qkv.segments[0].interleaved_head_dim, 8);
  EXPECT_EQ(qkv.segments[1].interleaved_head_dim, 8);
  EXPECT_EQ(qkv.segments[2].interleaved_head_dim, 0);
  EXPECT_EQ(bound.weights.head.segments[0].tensor->name, "token_embd.weight");
}

TEST(GgufModel, Qwen3) {
  const Bound bound =
      BindAll(Dense("qwen3").Remove("qwen3.vocab_size").AddTensor("output.weight", {40, 32}));
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_TRUE(bound.config.qk_norm);
  EXPECT_FALSE(bound.config.tied_embeddings);
  EXPECT_EQ(bound.config.vocab, 40);
  const AttentionWeights& attention = bound.weights.layers[0].attention;
  EXPECT_EQ(attention.qkv.segments[0].interleaved_head_dim, 0);
  EXPECT_EQ(attention.q_norm->name, "blk.0.attn_q_norm.weight");
  EXPECT_EQ(bound.weights.head.segments[0].tensor->name, "output.weight");
}

TEST(GgufModel, BailingMoe2) {
  const Bound bound = BindAll(Bailing());
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  const ModelConfig& c = bound.config;
  EXPECT_EQ(c.rope.rotary_dim, 4);
  EXPECT_EQ(c.moe.experts, 8);
  EXPECT_EQ(c.moe.groups, 4);
  EXPECT_EQ(c.moe.top_groups, 2);
  EXPECT_EQ(c.moe.shared_ffn, 16);
  EXPECT_EQ(c.moe.routed_scale, 2.5);
  EXPECT_EQ(c.layers[0].ffn, FfnKind::kDense);
  EXPECT_EQ(c.layers[1].ffn, FfnKind::kMoe);
  const MoeWeights& moe = *bound.weights.layers[1].moe;
  ASSERT_EQ(moe.experts.size(), 8u);
  EXPECT_EQ(moe.experts[3].gate_up.segments[0].row_begin, 3 * 16);
  EXPECT_EQ(moe.experts[3].gate_up.segments[1].tensor->name, "blk.1.ffn_up_exps.weight");
  EXPECT_EQ(moe.experts[3].down.segments[0].row_begin, 3 * 32);
  EXPECT_EQ(moe.expert_bias->name, "blk.1.exp_probs_b.bias");
  EXPECT_EQ(moe.shared->down.segments[0].tensor->name, "blk.1.ffn_down_shexp.weight");
}

TEST(GgufModel, BailingMoe2Mtp) {
  GgufBuilder b = Bailing();
  b.Add("bailingmoe2.nextn_predict_layers", 1u).Add("bailingmoe2.block_count", 3u);
  // Stated but absent.
  Bound bound = BindAll(b);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.layers.size(), 2u);
  EXPECT_EQ(bound.config.mtp_layers, 0);
  for (const char* name :
       {"attn_norm", "ffn_norm", "nextn.enorm", "nextn.hnorm", "layer_output_norm"}) {
    b.AddTensor(std::string("blk.2.") + name + ".weight", {kHidden});
  }
  b.AddTensor("blk.2.attn_output.weight", {kHidden, kHidden});
  b.AddTensor("blk.2.attn_qkv.weight", {64, kHidden});
  b.AddTensor("blk.2.attn_q_norm.weight", {8});
  b.AddTensor("blk.2.attn_k_norm.weight", {8});
  b.AddTensor("blk.2.nextn.eh_proj.weight", {kHidden, 2 * kHidden});
  AddMoeBlock(b, "blk.2.");
  bound = BindAll(b);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.mtp_layers, 1);
  EXPECT_EQ(bound.weights.mtp[0].projection.cols, 64);
}

TEST(GgufModel, SharedExpertWidths) {
  GgufBuilder older = Bailing().Remove("bailingmoe2.expert_shared_feed_forward_length");
  EXPECT_EQ(BindAll(older).config.moe.shared_ffn, 16);
  // Two experts of 8: the stated width is one expert's, the tensors hold both.
  GgufBuilder two = Bailing();
  two.Add("bailingmoe2.expert_shared_count", 2u);
  two.Add("bailingmoe2.expert_shared_feed_forward_length", 8u);
  const Bound bound = BindAll(two);
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.moe.shared_ffn, 16);
}

TEST(GgufModel, RopeFrequencyFactors) {
  const Bound bound =
      BindAll(Dense("llama").AddTensor("rope_freqs.weight", {4}, {1.0f, 1.0f, 2.5f, 8.0f}));
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.rope.freq_factors, (std::vector<float>{1.0f, 1.0f, 2.5f, 8.0f}));
}

TEST(GgufModel, Yarn) {
  const Bound bound = BindAll(Dense("qwen3")
                                  .Add("qwen3.rope.scaling.type", "yarn")
                                  .Add("qwen3.rope.scaling.factor", 4.0f)
                                  .Add("qwen3.rope.scaling.original_context_length", 512u));
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.rope.scaling, RopeScaling::kYarn);
  EXPECT_EQ(bound.config.rope.original_max_position, 512);
  EXPECT_DOUBLE_EQ(bound.config.rope.attention_factor, 1.1386294361119891);
}

TEST(GgufModel, LinearScaling) {
  for (const char* key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
    const Bound bound = BindAll(Dense("llama").Add(key, 2.0f));
    ASSERT_TRUE(bound.status.ok()) << bound.status.message();
    EXPECT_EQ(bound.config.rope.scaling, RopeScaling::kLinear);
    EXPECT_EQ(bound.config.rope.factor, 2.0);
  }
  const Bound none = BindAll(
      Dense("llama").Add("llama.rope.scaling.type", "none").Add("llama.rope.scaling.factor", 2.0f));
  EXPECT_EQ(none.config.rope.scaling, RopeScaling::kNone);
  EXPECT_EQ(none.config.rope.factor, 1.0);
}

TEST(GgufModel, EndTokensFromMetadataAndControlTokens) {
  Json tokens = Json::array();
  Json types = Json::array();
  for (int i = 0; i < 40; ++i) {
    tokens.push_back("t" + std::to_string(i));
    types.push_back(1);
  }
  tokens[7] = "<|im_end|>";
  types[7] = 3;
  tokens[9] = "<|endoftext|>";  // an ordinary token that only looks like one
  const Bound bound = BindAll(Dense("llama")
                                  .Add("tokenizer.ggml.tokens", tokens)
                                  .Add("tokenizer.ggml.token_type", types)
                                  .Add("tokenizer.ggml.eot_token_id", 5u)
                                  .Add("tokenizer.ggml.eom_token_id", 4294967295u));
  ASSERT_TRUE(bound.status.ok()) << bound.status.message();
  EXPECT_EQ(bound.config.eos_ids, (std::vector<int32_t>{2, 5, 7}));
}

struct BadGguf {
  const char* name;
  std::function<GgufBuilder()> make;
  const char* message;
};

void PrintTo(const BadGguf& bad, std::ostream* out) { *out << bad.name; }

class GgufRefuses : public testing::TestWithParam<BadGguf> {};

TEST_P(GgufRefuses, WithFileKeyAndExpectation) {
  const Status status = BindAll(GetParam().make()).status;
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.message().rfind("memory.gguf: ", 0), 0u) << status.message();
  EXPECT_NE(status.message().find(GetParam().message), std::string::npos) << status.message();
}

const BadGguf kBadGguf[] = {
    {"NoArchitecture", [] { return Dense("llama").Remove("general.architecture"); },
     "general.architecture"},
    {"OtherArchitecture", [] { return Dense("llama").Add("general.architecture", "mamba"); },
     "general.architecture: found \"mamba\", expected one of llama, qwen3, bailingmoe2"},
    {"UnknownKey", [] { return Dense("llama").Add("llama.logit_scale", 0.5f); },
     "llama.logit_scale: found 0.5, expected a key listed"},
    {"UnknownArray",
     [] {
       return Dense("llama").Add("llama.per_layer", Json::array({1u, 2u}));
     },
     "llama.per_layer: found [1,2]"},
    {"NoHidden", [] { return Dense("llama").Remove("llama.embedding_length"); },
     "llama.embedding_length: found nothing, expected an integer"},
    {"NoEpsilon", [] { return Dense("llama").Remove("llama.attention.layer_norm_rms_epsilon"); },
     "llama.attention.layer_norm_rms_epsilon: found nothing"},
    {"HeadsAsText", [] { return Dense("llama").Add("llama.attention.head_count", "4"); },
     "llama.attention.head_count: found \"4\""},
    {"HeadsPerLayer",
     [] {
       return Dense("llama").Add("llama.attention.head_count_kv", Json::array({2u, 1u}));
     },
     "llama.attention.head_count_kv: found [2,1], expected an integer"},
    {"ZeroBlocks", [] { return Dense("llama").Add("llama.block_count", 0u); },
     "llama.block_count: found 0"},
    {"ManyBlocks", [] { return Dense("llama").Add("llama.block_count", 4000000000u); },
     "llama.block_count: found 4000000000"},
    {"BlockMissing", [] { return Dense("llama").Add("llama.block_count", 3u); },
     "blk.2.attn_norm.weight: found no such tensor"},
    {"BlockTooMany", [] { return Dense("llama").Add("llama.block_count", 1u); },
     "tensors with no place in the model"},
    {"Experts", [] { return Dense("llama").Add("llama.expert_count", 8u); },
     "llama.expert_count: found 8, unsupported"},
    {"ValueLength", [] { return Dense("llama").Add("llama.attention.value_length", 16u); },
     "llama.attention.value_length: found 16, unsupported"},
    {"SlidingWindow", [] { return Dense("qwen3").Add("qwen3.attention.sliding_window", 512u); },
     "qwen3.attention.sliding_window: found 512, unsupported"},
    {"PartialRotation", [] { return Dense("llama").Add("llama.rope.dimension_count", 4u); },
     "llama.rope.dimension_count: found 4, unsupported"},
    {"LongRope", [] { return Dense("llama").Add("llama.rope.scaling.type", "longrope"); },
     "llama.rope.scaling.type: found \"longrope\", unsupported"},
    {"YarnLogMultiplier",
     [] {
       return Dense("llama")
           .Add("llama.rope.scaling.type", "yarn")
           .Add("llama.rope.scaling.factor", 2.0f)
           .Add("llama.rope.scaling.yarn_log_multiplier", 0.5f);
     },
     "llama.rope.scaling.yarn_log_multiplier: found 0.5, unsupported"},
    {"FreqFactorsCount", [] { return Dense("llama").AddTensor("rope_freqs.weight", {3}); },
     "rope_freqs.weight: found F32 of shape [3], expected F32 of shape [4]"},
    {"FreqFactorsZero", [] { return Dense("llama").AddTensor("rope_freqs.weight", {4}); },
     "rope_freqs.weight: found 0, expected positive finite factors"},
    {"VocabMismatch", [] { return Dense("llama").Add("llama.vocab_size", 41u); },
     "token_embd.weight: found shape [40, 32], expected shape [41, 32]"},
    {"NoEmbedding",
     [] { return Dense("qwen3").Remove("qwen3.vocab_size").RemoveTensor("token_embd.weight"); },
     "vocab_size: found 0"},
    {"EosOutside", [] { return Dense("llama").Add("tokenizer.ggml.eos_token_id", 40u); },
     "tokenizer.ggml.eos_token_id: found 40, expected an id below vocab_size (40)"},
    {"EosHuge", [] { return Dense("llama").Add("tokenizer.ggml.eos_token_id", 3000000000u); },
     "tokenizer.ggml.eos_token_id: found 3000000000, expected a token id"},
    {"QBias", [] { return Dense("llama").AddTensor("blk.0.attn_q.bias", {32}); },
     "blk.0.attn_q.bias: found a tensor with no place"},
    {"NoQNorm", [] { return Dense("qwen3").RemoveTensor("blk.1.attn_q_norm.weight"); },
     "blk.1.attn_q_norm.weight: found no such tensor, expected a tensor of shape [8]"},
    {"SoftmaxGating", [] { return Bailing().Add("bailingmoe2.expert_gating_func", 1u); },
     "bailingmoe2.expert_gating_func: found 1, unsupported"},
    {"NoExpertScale", [] { return Bailing().Remove("bailingmoe2.expert_weights_scale"); },
     "bailingmoe2.expert_weights_scale: found nothing"},
    {"NoExpertBias", [] { return Bailing().RemoveTensor("blk.1.exp_probs_b.bias"); },
     "blk.1.exp_probs_b.bias: found no such tensor"},
    {"ExpertsOfAnotherShape",
     [] {
       return Bailing().AddTensor("blk.1.ffn_down_exps.weight", {8, 16, 32});
     },
     "blk.1.ffn_down_exps.weight: found shape [8, 16, 32], expected shape [8, 32, 16]"},
    {"AllBlocksMtp", [] { return Bailing().Add("bailingmoe2.nextn_predict_layers", 2u); },
     "bailingmoe2.nextn_predict_layers: found 2, expected fewer than block_count (2)"},
    {"MtpEmbeddings",
     [] {
       return Bailing().AddTensor("blk.1.nextn.embed_tokens.weight", {40, 32});
     },
     "blk.1.nextn.embed_tokens.weight: found a tensor with no place"},
    {"GroupsDoNotDivide", [] { return Bailing().Add("bailingmoe2.expert_group_count", 3u); },
     "expert_group_count: found 3, expected a divisor of expert_count (8)"},
};

INSTANTIATE_TEST_SUITE_P(All, GgufRefuses, testing::ValuesIn(kBadGguf),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace ringlet
