#include "model/arch_common.h"

#include <fmt/format.h>

#include <cmath>

#include "model/limits.h"
#include "model/quantization.h"

namespace ringlet {
namespace {

// Written by transformers and other tools into any config.json; none of them is read by a forward
// pass of the four classes.
constexpr std::string_view kBookkeeping[] = {"architectures",
                                             "model_type",
                                             "auto_map",
                                             "transformers_version",
                                             "torch_dtype",
                                             "dtype",
                                             "use_cache",
                                             "initializer_range",
                                             "name_or_path",
                                             "_name_or_path",
                                             "_commit_hash",
                                             "_attn_implementation",
                                             "_attn_implementation_autoset",
                                             "_attn_implementation_internal",
                                             "attn_implementation",
                                             "_flash_attn_2_enabled",
                                             "_pre_quantization_dtype",
                                             "_from_model_config",
                                             "use_return_dict",
                                             "return_dict",
                                             "return_dict_in_generate",
                                             "output_attentions",
                                             "output_hidden_states",
                                             "output_scores",
                                             "output_router_logits",
                                             "torchscript",
                                             "tokenizer_class",
                                             "prefix",
                                             "problem_type",
                                             "finetuning_task",
                                             "task_specific_params",
                                             "id2label",
                                             "label2id",
                                             "num_labels",
                                             "tf_legacy_loss",
                                             "use_bfloat16",
                                             "is_decoder",
                                             "tie_encoder_decoder",
                                             "cross_attention_hidden_size",
                                             "chunk_size_feed_forward",
                                             "remove_invalid_values",
                                             "pad_token_id",
                                             "sep_token_id",
                                             "decoder_start_token_id",
                                             "forced_bos_token_id",
                                             "forced_eos_token_id",
                                             "unk_token_id",
                                             "suppress_tokens",
                                             "begin_suppress_tokens",
                                             "bad_words_ids",
                                             "do_sample",
                                             "temperature",
                                             "top_k",
                                             "top_p",
                                             "typical_p",
                                             "num_beams",
                                             "num_beam_groups",
                                             "num_return_sequences",
                                             "diversity_penalty",
                                             "repetition_penalty",
                                             "encoder_repetition_penalty",
                                             "length_penalty",
                                             "no_repeat_ngram_size",
                                             "encoder_no_repeat_ngram_size",
                                             "min_length",
                                             "max_length",
                                             "max_new_tokens",
                                             "early_stopping",
                                             "exponential_decay_length_penalty",
                                             "transformers.js_config",
                                             "unsloth_fixed",
                                             "unsloth_version",
                                             "pretraining_tp",
                                             "max_sequence_length",
                                             "router_aux_loss_coef",
                                             "is_llama_config"};

void MapTokenIds(ConfigReader& reader, ModelConfig& config) {
  for (const int64_t id : reader.OptionalIntegers("eos_token_id", kMaxVocab)) {
    config.eos_ids.push_back(static_cast<int32_t>(id));
  }
  const auto bos = reader.OptionalIntegers("bos_token_id", kMaxVocab);
  if (!bos.empty()) config.bos_id = static_cast<int32_t>(bos.front());
}

// Whether a tensor is FP8 is decided by the tensor; the block only has to describe the one scheme
// of FP8 that is implemented. Integer schemes are read again when the tensors are opened.
void CheckQuantization(ConfigReader& reader) {
  reader.Refuse({"quantization"}, "MLX quantized checkpoints");
  const Json* object = reader.OptionalObject("quantization_config");
  if (object == nullptr) return;
  if (object->value("quant_method", Json()) == "compressed-tensors") {
    return reader.Fail(PackQuantized::Parse(*object, reader.source()).status());
  }
  ConfigReader nested(*object, reader.source(), "quantization_config.");
  if (nested.String("quant_method") != "fp8") {
    nested.Unsupported("quant_method",
                       "only compressed-tensors and fp8 with 128x128 blocks are implemented");
  }
  nested.MustBe("fmt", "e4m3", "FP8 format");
  nested.MustBe("activation_scheme", "dynamic", "scales of activations stored in the checkpoint");
  nested.MustBe("weight_block_size", Json::array({kFp8ScaleBlock, kFp8ScaleBlock}),
                "size of a scale's block");
  nested.MustBe("scale_fmt", "float", "format of the scales");
  nested.Ignore({"modules_to_not_convert", "ignored_layers", "weight_per_tensor", "act_per_tensor",
                 "dequantize"});
  reader.Fail(nested.Finish());
}

void MapYarn(ConfigReader& scaling, RopeSpec& rope, int64_t max_position) {
  rope.scaling = RopeScaling::kYarn;
  rope.factor = scaling.Number("factor", 1.0, 1e6);
  rope.beta_fast = scaling.OptionalNumber("beta_fast", 1e-3, 1e6).value_or(32.0);
  rope.beta_slow = scaling.OptionalNumber("beta_slow", 1e-3, 1e6).value_or(1.0);
  rope.original_max_position =
      scaling.OptionalNumber("original_max_position_embeddings", 1, kMaxPosition)
          .value_or(static_cast<double>(max_position));
  rope.attention_factor = scaling.OptionalNumber("attention_factor", 1e-6, 1e6)
                              .value_or(YarnAttentionFactor(rope.factor));
  if (rope.original_max_position < 1) {
    scaling.FailAt("original_max_position_embeddings", "the context length before scaling");
  }
  scaling.MustBe("truncate", true, "correction range without rounding");
  scaling.Refuse({"mscale", "mscale_all_dim"}, "attention factors of multi-head latent attention");
}

void MapLlama3(ConfigReader& scaling, RopeSpec& rope) {
  rope.scaling = RopeScaling::kLlama3;
  rope.factor = scaling.Number("factor", 1.0, 1e6);
  rope.low_freq_factor = scaling.Number("low_freq_factor", 1e-6, 1e6);
  rope.high_freq_factor = scaling.Number("high_freq_factor", 1e-6, 1e6);
  rope.original_max_position = scaling.Number("original_max_position_embeddings", 1, kMaxPosition);
}

void MapScaling(ConfigReader& scaling, RopeSpec& rope, int64_t max_position) {
  // "type" is the older spelling; files that were converted carry both.
  const auto type = scaling.OptionalString("rope_type");
  const auto old_type = scaling.OptionalString("type");
  if (type && old_type && *type != *old_type) {
    scaling.FailAt("type", "the value of rope_type");
  }
  const std::string kind = type ? *type : old_type.value_or("default");
  const std::string_view key = type || !old_type ? "rope_type" : "type";
  if (kind == "default") {
    scaling.MustBe("factor", 1.0, "a factor without a scaling type");
    scaling.Ignore({"original_max_position_embeddings"});
  } else if (kind == "linear") {
    rope.scaling = RopeScaling::kLinear;
    rope.factor = scaling.Number("factor", 1.0, 1e6);
    scaling.Ignore({"original_max_position_embeddings"});
  } else if (kind == "yarn") {
    MapYarn(scaling, rope, max_position);
  } else if (kind == "llama3") {
    MapLlama3(scaling, rope);
  } else {
    scaling.Unsupported(key, "RoPE scaling other than default, linear, yarn and llama3");
  }
}

}  // namespace

double YarnAttentionFactor(double factor) {
  return factor <= 1.0 ? 1.0 : 0.1 * std::log(factor) + 1.0;
}

void MapHfCommon(ConfigReader& reader, ModelConfig& config) {
  reader.Ignore(kBookkeeping);
  config.vocab = reader.Integer("vocab_size", 1, kMaxVocab);
  config.hidden = reader.Integer("hidden_size", 1, kMaxHidden);
  config.heads = reader.Integer("num_attention_heads", 1, kMaxHeads);
  config.kv_heads =
      reader.OptionalInteger("num_key_value_heads", 1, kMaxHeads).value_or(config.heads);
  config.dense_ffn = reader.Integer("intermediate_size", 1, kMaxFfn);
  config.norm_eps = reader.Number("rms_norm_eps", 1e-30, 1.0);
  config.max_position =
      reader.OptionalInteger("max_position_embeddings", 1, kMaxPosition).value_or(0);
  config.tied_embeddings = reader.Flag("tie_word_embeddings", false);
  reader.MustBe("hidden_act", "silu", "activation of the MLP");
  reader.MustBe("attention_dropout", 0.0, "dropout");
  reader.MustBe("is_encoder_decoder", false, "encoder-decoder models");
  reader.MustBe("add_cross_attention", false, "cross attention");
  reader.MustBe("pruned_heads", Json::object(), "pruned heads");
  MapTokenIds(reader, config);
  CheckQuantization(reader);
}

std::optional<double> MapHfRope(ConfigReader& reader, std::optional<double> default_theta,
                                ModelConfig& config) {
  auto theta = reader.OptionalNumber("rope_theta", 1.0, kMaxTheta);
  auto partial = reader.OptionalNumber("partial_rotary_factor", 0.0, 1.0);
  for (const std::string_view key : {"rope_scaling", "rope_parameters"}) {
    const Json* object = reader.OptionalObject(key);
    if (object == nullptr) continue;
    ConfigReader nested(*object, reader.source(), std::string(key) + ".");
    if (config.rope.scaling != RopeScaling::kNone) {
      reader.Unsupported(key, "scaling stated in both rope_scaling and rope_parameters");
    }
    MapScaling(nested, config.rope, config.max_position);
    if (const auto inner = nested.OptionalNumber("rope_theta", 1.0, kMaxTheta)) {
      if (theta && *theta != *inner) nested.FailAt("rope_theta", "the value of rope_theta outside");
      theta = inner;
    }
    if (const auto inner = nested.OptionalNumber("partial_rotary_factor", 0.0, 1.0)) {
      if (partial && *partial != *inner) {
        nested.FailAt("partial_rotary_factor", "the value of partial_rotary_factor outside");
      }
      partial = inner;
    }
    reader.Fail(nested.Finish());
  }
  if (!theta) theta = default_theta;
  if (!theta) reader.FailAt("rope_theta", "the base of the rotary frequencies");
  config.rope.theta = theta.value_or(1.0);
  return partial;
}

MlpWeights BindHfMlp(TensorBinder& binder, const std::string& prefix, int64_t hidden, int64_t ffn) {
  return {.gate_up = TensorBinder::Stack({binder.Matrix(prefix + "gate_proj.weight", ffn, hidden),
                                          binder.Matrix(prefix + "up_proj.weight", ffn, hidden)}),
          .down = binder.Matrix(prefix + "down_proj.weight", hidden, ffn)};
}

MatrixRef BindHead(TensorBinder& binder, const std::string& name, const ModelConfig& config,
                   const MatrixRef& embedding) {
  if (!config.tied_embeddings) return binder.Matrix(name, config.vocab, config.hidden);
  if (binder.Peek(name) != nullptr) binder.Matrix(name, config.vocab, config.hidden);
  return embedding;
}

void SettleSharedWidth(const TensorBinder& binder, std::string_view name, ModelConfig& config) {
  MoeSpec& moe = config.moe;
  if (moe.shared_experts < 2) return;
  for (size_t l = 0; l < config.layers.size(); ++l) {
    const StoredTensor* tensor = binder.Peek(fmt::format(fmt::runtime(name), l));
    if (tensor == nullptr) continue;
    const int64_t rows = tensor->rows();
    if (rows <= kMaxFfn && (rows * moe.shared_experts == moe.shared_ffn ||
                            rows == moe.shared_ffn * moe.shared_experts)) {
      moe.shared_ffn = rows;
    }
    return;
  }
}

}  // namespace ringlet
