// Norms as nodes. Opset 17 has those of batches, of single channels and of the last dimensions; the others are made
// of these, or of means.
#include <gradus/core/create.h>
#include <gradus/interchange/detail/layer_writing.h>
#include <gradus/layers/norm.h>

#include <numeric>

namespace gradus::interchange::detail {
namespace {

/// The parameter, or where the layer learns none the same number for all.
std::string state_or(GraphWriter& w, const LayerPlace& at, const char* what, const Variable& state,
                     const Shape& shape, double otherwise) {
  if (state.defined()) return w.state(state.value());
  return w.constant(at.path, what, full(shape, otherwise, at.dtype));
}

/// By what training saw.
std::string write_tracked_norm(GraphWriter& w, const LayerPlace& at, const ChannelNorm& layer) {
  const Shape channels = layer.running_mean.shape();
  std::vector<Attribute> attributes = {real("epsilon", layer.options().eps)};
  // ONNX counts what stays of the running numbers, Gradus what is new. Without momentum it is a plain mean, for which
  // ONNX has no word.
  if (layer.options().momentum)
    attributes.push_back(real("momentum", 1 - *layer.options().momentum));
  return w.node("BatchNormalization", at.path,
                {at.input, state_or(w, at, "scale", layer.weight, channels, 1),
                 state_or(w, at, "shift", layer.bias, channels, 0), w.state(layer.running_mean),
                 w.state(layer.running_var)},
                std::move(attributes));
}

/// By the batch's own statistics, which BatchNormalization would take in training only.
std::string write_own_statistics(GraphWriter& w, const LayerPlace& at, const ChannelNorm& layer) {
  Ints axes(static_cast<std::size_t>(at.in.rank()));
  std::iota(axes.begin(), axes.end(), 0);
  axes.erase(axes.begin() + 1);
  const std::vector<Attribute> over = {integers("axes", axes), integer("keepdims", 1)};
  const std::string mean = w.node("ReduceMean", at.path, {at.input}, over);
  const std::string centred = w.node("Sub", at.path, {at.input, mean});
  const std::string squares = w.node("Mul", at.path, {centred, centred});
  const std::string variance = w.node("ReduceMean", at.path, {squares}, over);
  const std::string eps = w.number(at.path, "eps", layer.options().eps, at.dtype);
  const std::string deviation = w.node("Sqrt", at.path, {w.node("Add", at.path, {variance, eps})});
  return w.by_channel(at.path, w.node("Div", at.path, {centred, deviation}),
                      layer.weight.defined() ? layer.weight.value() : Tensor(),
                      layer.bias.defined() ? layer.bias.value() : Tensor(), at.in.rank());
}

template <class Layer>
std::string write_batch_norm(GraphWriter& w, const LayerPlace& at, Layer& layer) {
  return layer.running_mean.defined() ? write_tracked_norm(w, at, layer)
                                      : write_own_statistics(w, at, layer);
}

std::string write_instance_norm(GraphWriter& w, const LayerPlace& at, InstanceNorm2d& layer) {
  if (at.in.rank() != 4)
    at.refuse("InstanceNorm2d", "is written for a batch, its input is ", at.in);
  if (layer.running_mean.defined()) return write_tracked_norm(w, at, layer);
  const Shape channels{at.in[1]};
  return w.node("InstanceNormalization", at.path,
                {at.input, state_or(w, at, "scale", layer.weight, channels, 1),
                 state_or(w, at, "shift", layer.bias, channels, 0)},
                {real("epsilon", layer.options().eps)});
}

/// The channels of a group become one, which InstanceNormalization treats.
std::string write_group_norm(GraphWriter& w, const LayerPlace& at, GroupNorm& layer) {
  const std::int64_t groups = layer.num_groups();
  const std::string grouped = w.reshape(at.path, at.input, Ints{0, groups, -1});
  const std::string normal =
      w.node("InstanceNormalization", at.path,
             {grouped, w.constant(at.path, "scale", ones({groups}, at.dtype)),
              w.constant(at.path, "shift", zeros({groups}, at.dtype))},
             {real("epsilon", layer.options().eps)});
  return w.by_channel(at.path, w.reshape(at.path, normal, at.in),
                      layer.weight.defined() ? layer.weight.value() : Tensor(),
                      layer.bias.defined() ? layer.bias.value() : Tensor(), at.in.rank());
}

std::string write_layer_norm(GraphWriter& w, const LayerPlace& at, LayerNorm& layer) {
  const Shape& shape = layer.normalized_shape();
  if (shape.rank() >= at.in.rank() - at.batch_axis)
    at.refuse("LayerNorm", "normalizes over the batch, ", shape, " of ", at.in);
  std::vector<std::string> inputs = {at.input, state_or(w, at, "scale", layer.weight, shape, 1)};
  if (layer.bias.defined()) inputs.push_back(w.state(layer.bias.value()));
  return w.node("LayerNormalization", at.path, std::move(inputs),
                {integer("axis", -shape.rank()), real("epsilon", layer.options().eps)});
}

}  // namespace

LayerWriters writers_of_norms() {
  return {writes<BatchNorm1d>(write_batch_norm<BatchNorm1d>),
          writes<BatchNorm2d>(write_batch_norm<BatchNorm2d>),
          writes<InstanceNorm2d>(write_instance_norm), writes<GroupNorm>(write_group_norm),
          writes<LayerNorm>(write_layer_norm)};
}

}  // namespace gradus::interchange::detail
