// Pooling, normalisation and activations, as PyTorch computes them; norm layers with what they track.
#include <gradus/layers/norm.h>

#include "support/parity.h"

using namespace gradus;
using parity::Call;
using parity::Options;

namespace {

Pool2dOptions pool2d_options(const Options& o) {
  Pool2dOptions options{.kernel_size = parity::pair_of(o, "kernel_size", 0),
                        .stride = parity::pair_of(o, "stride", 0),
                        .padding = parity::pair_of(o, "padding", 0),
                        .dilation = parity::pair_of(o, "dilation", 1),
                        .ceil_mode = o.value("ceil_mode", false),
                        .count_include_pad = o.value("count_include_pad", true)};
  if (o.contains("divisor_override"))
    options.divisor_override = o["divisor_override"].get<std::int64_t>();
  return options;
}

Pool1dOptions pool1d_options(const Options& o) {
  return {.kernel_size = o["kernel_size"].get<std::int64_t>(),
          .stride = o.value("stride", std::int64_t{0}),
          .padding = o.value("padding", std::int64_t{0}),
          .dilation = o.value("dilation", std::int64_t{1}),
          .ceil_mode = o.value("ceil_mode", false),
          .count_include_pad = o.value("count_include_pad", true)};
}

std::int64_t integer(const Options& o, const char* name) { return o[name].get<std::int64_t>(); }

/// Numbers for the channels of x.
Tensor channels(const Options& o, const char* name, const Variable& x) {
  const std::vector<double> numbers = o[name].get<std::vector<double>>();
  return Tensor::from(numbers.data(), {static_cast<std::int64_t>(numbers.size())}).to(x.dtype());
}

using Function = Variable (*)(const Operand&);

/// Of one input, without options.
Call plain(Function f) {
  return [f](const Variables& x, const Options&) -> Variables { return {f(x[0])}; };
}

Variables train_twice_and_evaluate(ChannelNorm& layer, const Variables& x) {
  layer.to(x[0].dtype());
  layer.weight = x[3];
  layer.bias = x[4];
  Variables outputs{layer(x[0]), layer(x[1])};
  layer.eval();
  outputs.push_back(layer(x[2]));
  for (const auto& [name, buffer] : layer.named_buffers())
    outputs.emplace_back(buffer.to(x[0].dtype()));
  return outputs;
}

template <class Layer> Call batch_norm_layer() {
  return [](const Variables& x, const Options& o) {
    BatchNorm2dOptions options{.eps = 1e-2,
                               .momentum = std::nullopt,
                               .affine = o["affine"],
                               .track_running_stats = o["track_running_stats"]};
    if (!o["momentum"].is_null()) options.momentum = o["momentum"].get<double>();
    Layer layer(3, options);
    return train_twice_and_evaluate(layer, x);
  };
}

Variables instance_norm_layer(const Variables& x, const Options& o) {
  InstanceNorm2d layer(3, {.eps = 1e-2,
                           .momentum = o["momentum"],
                           .affine = o["affine"],
                           .track_running_stats = o["track_running_stats"]});
  return train_twice_and_evaluate(layer, x);
}

const std::map<std::string, Call> pools{
    {"max_pool2d",
     [](const Variables& x, const Options& o) -> Variables {
       return {max_pool2d(x[0], pool2d_options(o))};
     }},
    {"avg_pool2d",
     [](const Variables& x, const Options& o) -> Variables {
       return {avg_pool2d(x[0], pool2d_options(o))};
     }},
    {"max_pool1d",
     [](const Variables& x, const Options& o) -> Variables {
       return {max_pool1d(x[0], pool1d_options(o))};
     }},
    {"avg_pool1d",
     [](const Variables& x, const Options& o) -> Variables {
       return {avg_pool1d(x[0], pool1d_options(o))};
     }},
    {"adaptive_avg_pool1d",
     [](const Variables& x, const Options& o) -> Variables {
       return {adaptive_avg_pool1d(x[0], integer(o, "output_size"))};
     }},
    {"adaptive_max_pool1d",
     [](const Variables& x, const Options& o) -> Variables {
       return {adaptive_max_pool1d(x[0], integer(o, "output_size"))};
     }},
    {"adaptive_avg_pool2d",
     [](const Variables& x, const Options& o) -> Variables {
       return {adaptive_avg_pool2d(x[0], parity::pair_of(o, "output_size", 0))};
     }},
    {"adaptive_max_pool2d",
     [](const Variables& x, const Options& o) -> Variables {
       return {adaptive_max_pool2d(x[0], parity::pair_of(o, "output_size", 0))};
     }},
};

const std::map<std::string, Call> norms{
    {"layer_norm",
     [](const Variables& x, const Options& o) -> Variables {
       Shape shape;
       for (const auto& size : o["normalized_shape"]) shape.push_back(size.get<std::int64_t>());
       return {layer_norm(x[0], shape, x[1], x[2], o["eps"])};
     }},
    {"group_norm",
     [](const Variables& x, const Options& o) -> Variables {
       return {group_norm(x[0], integer(o, "num_groups"), x[1], x[2], o["eps"])};
     }},
    {"instance_norm",
     [](const Variables& x, const Options& o) -> Variables {
       return {instance_norm(
           x[0], x[1], x[2], channels(o, "mean", x[0]), channels(o, "var", x[0]),
           {.use_input_stats = o["use_input_stats"], .momentum = 0.3, .eps = o["eps"]})};
     }},
    {"BatchNorm1d", batch_norm_layer<BatchNorm1d>()},
    {"BatchNorm2d", batch_norm_layer<BatchNorm2d>()},
    {"InstanceNorm2d", instance_norm_layer},
};

const std::map<std::string, Call> activations{
    {"relu6", plain(relu6)},
    {"selu", plain(selu)},
    {"silu", plain(silu)},
    {"logsigmoid", plain(logsigmoid)},
    {"softsign", plain(softsign)},
    {"hardswish", plain(hardswish)},
    {"hardsigmoid", plain(hardsigmoid)},
    {"erf", plain(erf)},
    {"expm1", plain(expm1)},
    {"elu",
     [](const Variables& x, const Options& o) -> Variables {
       return {elu(x[0], o.value("alpha", 1.0))};
     }},
    {"leaky_relu",
     [](const Variables& x, const Options& o) -> Variables {
       return {leaky_relu(x[0], o.value("negative_slope", 0.01))};
     }},
    {"hardtanh",
     [](const Variables& x, const Options& o) -> Variables {
       return {hardtanh(x[0], o.value("min_val", -1.0), o.value("max_val", 1.0))};
     }},
    {"softplus",
     [](const Variables& x, const Options& o) -> Variables {
       return {softplus(x[0], o.value("beta", 1.0), o.value("threshold", 20.0))};
     }},
    {"gelu",
     [](const Variables& x, const Options& o) -> Variables {
       const bool near = o.value("approximate", std::string("none")) == "tanh";
       return {gelu(x[0], near ? Gelu::tanh : Gelu::none)};
     }},
    {"prelu", [](const Variables& x, const Options&) -> Variables { return {prelu(x[0], x[1])}; }},
    {"softmax",
     [](const Variables& x, const Options& o) -> Variables {
       return {softmax(x[0], integer(o, "dim"))};
     }},
    {"log_softmax",
     [](const Variables& x, const Options& o) -> Variables {
       return {log_softmax(x[0], integer(o, "dim"))};
     }},
};

}  // namespace

TEST_CASE("pooling, normalisation and activations give PyTorch's values and gradients") {
  std::map<std::string, Call> calls = pools;
  calls.insert(norms.begin(), norms.end());
  calls.insert(activations.begin(), activations.end());
  // Of infinities and NaN only the values are compared, with those of PyTorch under NoGrad.
  for (const char* name : {"relu6", "selu", "logsigmoid", "elu", "leaky_relu", "hardtanh",
                           "softplus", "hardsigmoid", "erf", "expm1"}) {
    calls[std::string(name) + "_values"] = [call = activations.at(name)](const Variables& x,
                                                                         const Options& o) {
      const NoGrad constants;
      return call(x, o);
    };
  }
  parity::check("layers", calls);
}
