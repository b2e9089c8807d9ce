// Normalisation.
#include <gradus/interchange/operators/call.h>

namespace gradus::interchange {
namespace {

/// Statistics are the running ones unless the node says training_mode (opset 14), or before that gives more outputs: those of
/// the batch too then. running = momentum·running + (1-momentum)·batch, with the plain variance of the batch.
///
/// The running ones are no outputs otherwise, so that a net in training has no way to move them: what is no layer
/// (layers_of_graph.h) is refused there rather than trained by statistics that stand still.
Variables batch_norm_node(const Call& call) {
  const Variable& x = call.in(0);
  const double eps = call.real("epsilon", 1e-5);
  if (call.opset < 9 && !call.flag("spatial", true))
    call.refuse("spatial=0: statistics of each pixel; 1, of channels, is expected");
  const Tensor mean_before = call.in(3).value();
  const Tensor var_before = call.in(4).value();
  bool own_statistics = call.flag("training_mode", false);
  for (std::size_t i = 1; call.opset < 14 && i < call.node.outputs.size(); ++i)
    own_statistics = own_statistics || call.wants(i);
  if (!own_statistics) {
    if (call.training) {
      call.refuse(
          "is no layer of its own here, so its running statistics cannot be trained; constants "
          "that no other node takes, and an input of 2 to 4 dimensions, are expected");
    }
    return {batch_norm(x, call.in(1), call.in(2), mean_before, var_before,
                       {.training = false, .eps = eps})};
  }
  const Variable y = batch_norm(x, call.in(1), call.in(2), {}, {}, {.training = true, .eps = eps});
  Dims dims{0};
  for (int d = 2; d < x.value().rank(); ++d) dims.push_back(d);
  const double momentum = call.real("momentum", 0.9);
  const auto moved = [&](const Tensor& before, const Tensor& now) {
    return core::add(core::mul(before, momentum), core::mul(now, 1 - momentum));
  };
  const Tensor center = core::mean(x.value(), dims);
  const Tensor spread = core::var(x.value(), dims, false, 0);
  return {y, moved(mean_before, center), moved(var_before, spread), center, spread};
}

Variables instance_norm_node(const Call& call) {
  return {instance_norm(call.in(0), call.in(1), call.in(2), {}, {},
                        {.eps = call.real("epsilon", 1e-5)})};
}

/// Over the dimensions from `axis` on; the second output is the mean, the third 1/√(var + eps).
Variables layer_norm_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t axis = axis_of(call, call.integer("axis", -1), x.value().rank());
  Dims dims;
  Shape normalized;
  for (int d = static_cast<int>(axis); d < x.value().rank(); ++d) {
    dims.push_back(d);
    normalized.push_back(x.value().size(d));
  }
  const double eps = call.real("epsilon", 1e-5);
  // Scale and bias broadcast, which those of layer_norm() do not.
  Variable y = mul(layer_norm(x, normalized, {}, {}, eps), call.in(1));
  if (call.has(2)) y = add(y, call.in(2));
  Variables results{y};
  if (call.wants(1) || call.wants(2)) {
    results.push_back(mean(x, dims, true));
    results.push_back(rsqrt(add(var(x, dims, true, 0), eps)));
  }
  return results;
}

/// x / (bias + alpha/size·Σ x²)^beta, summed over channels beside: from ⌊(size-1)/2⌋ before to ⌈(size-1)/2⌉ behind.
Variables lrn_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t size = call.integer("size", 0);
  const Shape s = x.value().shape();
  if (size < 1 || s.rank() < 3)
    call.refuse("size ", size, " of ", s, "; 1 or more, of [N,C,..], expected");
  std::int64_t pixels = 1;  // not numel/(N·C), which an empty batch has none of
  for (int d = 2; d < s.rank(); ++d) pixels *= s[d];
  const Variable squares = reshape(square(x), {s[0], 1, s[1], pixels});
  const Variable around = pad(squares, {0, 0, (size - 1) / 2, size / 2});
  const Variable means = avg_pool2d(around, {.kernel_size = {size, 1}, .stride = 1});
  const Variable base =
      add(mul(reshape(means, s), call.real("alpha", 1e-4F)), call.real("bias", 1));
  return {mul(x, pow(base, -call.real("beta", 0.75)))};
}

/// (x - mean)/√var over the axes, by default all but the channels.
Variables mean_variance_node(const Call& call) {
  const Variable& x = call.in(0);
  Dims dims;
  for (const std::int64_t axis : call.integers("axes", {0, 2, 3}))
    dims.push_back(axis_of(call, axis, x.value().rank()));
  const Variable centered = sub(x, mean(x, dims, true));
  return {div(centered, add(sqrt(mean(square(centered), dims, true)), 1e-9))};
}

Variables lp_norm_node(const Call& call) {
  const Variable& x = call.in(0);
  const std::int64_t axis = axis_of(call, call.integer("axis", -1), x.value().rank());
  return {div(x, norm(x, static_cast<double>(call.integer("p", 2)), {axis}, true))};
}

}  // namespace

std::vector<OperatorEntry> norm_operators() {
  return {{"BatchNormalization", batch_norm_node},
          {"InstanceNormalization", instance_norm_node},
          {"LRN", lrn_node},
          {"LayerNormalization", layer_norm_node},
          {"LpNormalization", lp_norm_node},
          {"MeanVarianceNormalization", mean_variance_node}};
}

}  // namespace gradus::interchange
