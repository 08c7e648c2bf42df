#include "bench/op_shapes.h"

#include <variant>

#include "model/build.h"
#include "model/weight_source.h"

namespace ringlet {
namespace {

// Layouts instead of weights.
class LayoutSource : public WeightSource {
 public:
  PackedMatrix Layout(const MatrixRequest& request) override {
    const bool quant = request.role != MatrixRole::kRouter && request.k % kQuantGroup == 0;
    PackedMatrix matrix;
    matrix.format = quant ? PackedFormat::kQuant : PackedFormat::kF32;
    if (quant && request.role == MatrixRole::kLinear) matrix.quant = kInt4Layout;
    matrix.n = request.n;
    matrix.k = request.k;
    matrix.panel_bytes = PanelBytes(matrix.format, matrix.quant, request.k);
    return matrix;
  }
  PackedMatrix Matrix(const MatrixRequest& request) override { return Layout(request); }
  std::vector<float> Vector(const std::string&, int64_t n) override {
    return std::vector<float>(static_cast<size_t>(n), 1.0f);
  }
  RowTable Rows(const std::string&, int64_t, int64_t) override { return {}; }
};

MatrixShape ShapeOf(const PackedMatrix& matrix) {
  MatrixShape shape;
  shape.format = matrix.format;
  shape.n = matrix.n;
  shape.k = matrix.k;
  if (matrix.format == PackedFormat::kQuant) shape.quant = matrix.quant;
  return shape;
}

bool Same(const MatrixShape& a, const MatrixShape& b) {
  return a.format == b.format && a.n == b.n && a.k == b.k && a.bytes() == b.bytes();
}

void Count(const std::string& name, const PackedMatrix& matrix, ModelShapes* shapes) {
  const MatrixShape shape = ShapeOf(matrix);
  for (NamedMatrix& known : shapes->matrices) {
    if (known.name != name || !Same(known.shape, shape)) continue;
    ++known.per_token;
    return;
  }
  shapes->matrices.push_back({name, shape, 1});
}

void AddMixer(const Block& block, ModelShapes* shapes) {
  if (const auto* softmax = std::get_if<SoftmaxMixer>(&block.mixer)) {
    Count("qkv", softmax->qkv, shapes);
    Count("out", softmax->out, shapes);
    const int64_t layers = shapes->softmax.layers + 1;
    shapes->softmax = {layers, softmax->spec.heads, softmax->spec.kv, softmax->spec.rotary_dim};
    return;
  }
  const auto& lightning = std::get<LightningMixer>(block.mixer);
  Count("qkv", lightning.qkv, shapes);
  Count("gate", lightning.gate, shapes);
  Count("out", lightning.out, shapes);
  const int64_t layers = shapes->lightning.layers + 1;
  shapes->lightning = {layers, lightning.spec.heads, lightning.spec.kv, lightning.spec.rotary_dim,
                       lightning.groups};
}

void AddMoe(const Moe& moe, ModelShapes* shapes) {
  Count("router", moe.router, shapes);
  MoeShape& shape = shapes->moe;
  ++shape.layers;
  shape.experts = static_cast<int64_t>(moe.experts.size());
  shape.top_k = moe.top_k;
  shape.groups = moe.groups;
  shape.top_groups = moe.top_groups;
  shape.softmax = moe.softmax_score;
  shape.gate_up = ShapeOf(moe.experts[0].gate_up);
  shape.down = ShapeOf(moe.experts[0].down);
  if (!moe.shared) return;
  shape.shared_ffn = moe.shared->ffn();
  shape.shared_gate_up = ShapeOf(moe.shared->gate_up);
  shape.shared_down = ShapeOf(moe.shared->down);
}

}  // namespace

double MatrixShape::bytes() const {
  return static_cast<double>(PanelBytes(format, quant, k)) * static_cast<double>(n) /
         static_cast<double>(kPanel);
}

ModelShapes ShapesOf(const PackedModel& model) {
  ModelShapes shapes;
  shapes.hidden = model.head.k;
  shapes.layers = static_cast<int64_t>(model.blocks.size());
  for (const Block& block : model.blocks) {
    AddMixer(block, &shapes);
    if (const auto* mlp = std::get_if<Mlp>(&block.feed_forward)) {
      Count("gate_up", mlp->gate_up, &shapes);
      Count("down", mlp->down, &shapes);
      ++shapes.dense.layers;
      shapes.dense.ffn = mlp->ffn();
    } else {
      AddMoe(std::get<Moe>(block.feed_forward), &shapes);
    }
  }
  Count("head", model.head, &shapes);
  return shapes;
}

PackedModel EmptyModel(const ModelConfig& config, KvType kv) {
  LayoutSource source;
  return BuildPackedModel(config, kv, source);
}

}  // namespace ringlet
