// Layers that leave the shape as it is: activations and dropout.
#include <gradus/layers/activation.h>
#include <gradus/layers/detail/layer_text.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/shape.h>

namespace gradus::detail {
namespace {

template <class Layer> MadeLayer make_plain(LayerText&) { return std::make_unique<Layer>(); }

MadeLayer make_leaky_relu(LayerText& t) {
  return std::make_unique<LeakyReLU>(t.real("negative_slope", 0.01));
}

MadeLayer make_elu(LayerText& t) { return std::make_unique<ELU>(t.real("alpha", 1)); }

MadeLayer make_gelu(LayerText& t) {
  return std::make_unique<GELU>(t.word("approximate", {"none", "tanh"}) == 0 ? Gelu::none
                                                                             : Gelu::tanh);
}

MadeLayer make_prelu(LayerText& t) {
  const std::int64_t count = t.whole("num_parameters", 1, 1);
  if (count != 1 && count != t.shape[0])
    t.refuse_input("num_parameters must be 1 or the number of channels, got ", count);
  t.spend("weight", {count});
  return std::make_unique<PReLU>(count, t.real("init", 0.25));
}

MadeLayer make_softplus(LayerText& t) {
  return std::make_unique<Softplus>(t.real("beta", 1), t.real("threshold", 20));
}

MadeLayer make_hardtanh(LayerText& t) {
  return std::make_unique<Hardtanh>(t.real("min_val", -1), t.real("max_val", 1));
}

template <class Layer> MadeLayer make_softmax(LayerText& t) {
  return std::make_unique<Layer>(t.image_dim("dim") + 1);
}

template <class Layer> MadeLayer make_dropout(LayerText& t) {
  return std::make_unique<Layer>(t.real("p", 0.5));
}

MadeLayer make_dropout2d(LayerText& t) {
  t.expect_image();
  return make_dropout<Dropout2d>(t);
}

}  // namespace

std::vector<LayerKind> activation_kinds() {
  return {
      {"Dropout", make_dropout<Dropout>, {"p"}},
      {"Dropout2d", make_dropout2d, {"p"}},
      {"ELU", make_elu, {"alpha"}},
      {"GELU", make_gelu, {"approximate"}},
      {"Hardsigmoid", make_plain<Hardsigmoid>},
      {"Hardswish", make_plain<Hardswish>},
      {"Hardtanh", make_hardtanh, {"min_val", "max_val"}},
      {"Identity", make_plain<Identity>},
      {"LeakyReLU", make_leaky_relu, {"negative_slope"}},
      {"LogSigmoid", make_plain<LogSigmoid>},
      {"LogSoftmax", make_softmax<LogSoftmax>, {"dim"}},
      {"PReLU", make_prelu, {"num_parameters", "init"}},
      {"ReLU", make_plain<ReLU>},
      {"ReLU6", make_plain<ReLU6>},
      {"SELU", make_plain<SELU>},
      {"SiLU", make_plain<SiLU>},
      {"Sigmoid", make_plain<Sigmoid>},
      {"Softmax", make_softmax<Softmax>, {"dim"}},
      {"Softplus", make_softplus, {"beta", "threshold"}},
      {"Softsign", make_plain<Softsign>},
      {"Tanh", make_plain<Tanh>},
  };
}

}  // namespace gradus::detail
