// Inputs for the ops of autograd/ops/conv.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

/// For the proof in float32: geometries that train, and all algorithms with them.
struct Geometry {
  const char* description;
  Shape x, w;
  Conv2dOptions options;
  bool bias = false;
};

std::vector<Geometry> training_geometries() {
  std::vector<Geometry> all{
      {"the first layer", {8, 3, 32, 32}, {16, 3, 3, 3}, {.padding = 1}, true},
      {"5x5", {16, 1, 28, 28}, {6, 1, 5, 5}, {.padding = 2}, true},
      {"5x5, more channels", {8, 6, 14, 14}, {16, 6, 5, 5}, {}, true},
      {"64x64 pixels", {4, 16, 64, 64}, {16, 16, 3, 3}, {.padding = 1}, false},
      {"many channels", {8, 64, 32, 32}, {64, 64, 3, 3}, {.padding = 1}, true},
      {"small images", {32, 96, 8, 8}, {96, 96, 3, 3}, {.padding = 1}, false},
      {"ragged tiles", {9, 48, 33, 31}, {52, 48, 3, 3}, {}, true},
      {"stride 2", {8, 32, 32, 32}, {64, 32, 3, 3}, {.stride = 2, .padding = 1}, false},
      // A single image is cut into tiles, and with this padding the phases of a stride begin at
      // different rows.
      {"stride 2, one image", {1, 16, 32, 32}, {16, 16, 3, 3}, {.stride = 2, .padding = 1}, false},
      {"7x7, stride 2", {1, 3, 64, 64}, {16, 3, 7, 7}, {.stride = 2, .padding = 3}, true},
      {"stride 3", {1, 16, 61, 40}, {16, 16, 4, 4}, {.stride = 3, .padding = 1}, false},
      {"dilation", {4, 16, 20, 20}, {16, 16, 3, 3}, {.padding = 2, .dilation = 2}, false},
      {"groups", {8, 32, 17, 15}, {48, 8, 3, 3}, {.padding = 1, .groups = 4}, true},
      {"depthwise", {8, 33, 31, 33}, {33, 1, 3, 3}, {.padding = 1, .groups = 33}, false},
      {"depthwise, stride 2",
       {8, 32, 32, 32},
       {32, 1, 3, 3},
       {.stride = 2, .padding = 1, .groups = 32},
       false},
      {"depthwise, stride 2, ragged",
       {4, 17, 15, 37},
       {17, 1, 3, 3},
       {.stride = 2, .padding = 1, .groups = 17},
       false},
      {"depthwise, 5x5", {4, 12, 14, 15}, {12, 1, 5, 5}, {.padding = 2, .groups = 12}, false},
      {"1x1", {8, 64, 16, 16}, {96, 64, 1, 1}, {}, true},
      {"1x1, few channels", {8, 16, 17, 19}, {31, 16, 1, 1}, {}, false},
      {"1x1, stride 2", {8, 32, 16, 16}, {64, 32, 1, 1}, {.stride = 2}, false},
  };
  for (const std::int64_t size : remainders) {
    all.push_back({"filters", {2, 5, 9, 9}, {size, 5, 3, 3}, {.padding = 1}, true});
    all.push_back({"channels", {2, size, 9, 9}, {7, size, 3, 3}, {.padding = 1}, false});
    all.push_back({"columns", {2, 5, 7, size}, {13, 5, 3, 3}, {.padding = 1}, false});
  }
  return all;
}

Shape output_shape(const Geometry& g) {
  const auto size = [](std::int64_t in, std::int64_t kernel, std::int64_t stride,
                       std::int64_t padding, std::int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  const Conv2dOptions& o = g.options;
  return {g.x[0], g.w[0],
          size(g.x[2], g.w[2], o.stride.height, o.padding.height, o.dilation.height),
          size(g.x[3], g.w[3], o.stride.width, o.padding.width, o.dilation.width)};
}

std::string described(const Geometry& g) {
  return std::string(g.description) + ", " + to_string(g.x) + " by " + to_string(g.w);
}

std::vector<Sample> conv2d_samples_with(Activation activation) {
  const auto with = [=](Conv2dOptions o) {
    o.activation = activation;
    return
        [=](const Variables& v) { return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), o); };
  };
  return {
      {"3x3 with bias",
       {spread({2, 2, 5, 4}, 1), spread({4, 2, 3, 3}, 2), spread({4}, 3)},
       with({})},
      {"all sizes different", {spread({3, 2, 6, 4}, 4), spread({5, 2, 4, 3}, 5)}, with({})},
      {"all sizes equal", {spread({3, 3, 3, 3}, 6), spread({3, 3, 3, 3}, 7)}, with({.padding = 1})},
      {"1x1", {spread({2, 3, 3, 4}, 8), spread({4, 3, 1, 1}, 9), spread({4}, 10)}, with({})},
      {"1x1, strided", {spread({1, 3, 5, 4}, 11), spread({2, 3, 1, 1}, 12)}, with({.stride = 2})},
      {"1x1, padded", {spread({1, 2, 3, 3}, 13), spread({2, 2, 1, 1}, 14)}, with({.padding = 1})},
      {"stride and padding",
       {spread({2, 2, 5, 6}, 15), spread({2, 2, 3, 2}, 16)},
       with({.stride = {2, 1}, .padding = {1, 0}})},
      {"dilation",
       {spread({1, 2, 6, 7}, 17), spread({2, 2, 2, 3}, 18)},
       with({.dilation = {2, 3}})},
      {"groups",
       {spread({2, 4, 4, 4}, 19), spread({6, 2, 3, 3}, 20), spread({6}, 21)},
       with({.padding = 1, .groups = 2})},
      {"depthwise",
       {spread({1, 3, 5, 5}, 22), spread({3, 1, 3, 3}, 23)},
       with({.stride = 2, .padding = 1, .groups = 3})},
      {"depthwise, two filters a channel",
       {spread({2, 2, 4, 5}, 24), spread({4, 1, 3, 3}, 25), spread({4}, 26)},
       with({.groups = 2})},
      {"every option at once",
       {spread({2, 4, 6, 4}, 27), spread({4, 2, 3, 2}, 28), spread({4}, 29)},
       with({.stride = {1, 2}, .padding = {2, 1}, .dilation = {2, 3}, .groups = 2})},
      {"pixels no window reaches",
       {spread({1, 1, 6, 6}, 30), spread({1, 1, 2, 2}, 31)},
       with({.stride = 3})},
      {"a permuted input",
       {spread({2, 5, 4, 2}, 32), spread({3, 2, 3, 3}, 33)},
       [=](const Variables& v) {
         return conv2d(permute(v[0], {0, 3, 1, 2}), v[1], {}, {.activation = activation});
       }},
      {"no images",
       {spread({0, 2, 4, 4}, 34), spread({3, 2, 3, 3}, 35), spread({3}, 36)},
       with({})},
      {"no input channels",
       {spread({2, 0, 4, 4}, 37), spread({3, 0, 3, 3}, 38), spread({3}, 39)},
       with({})},
      {"no output channels", {spread({2, 3, 4, 4}, 40), spread({0, 3, 3, 3}, 41)}, with({})},
      {"an image alone",
       {spread({2, 4, 3}, 43), spread({3, 2, 2, 3}, 44), spread({3}, 45)},
       with({.padding = {0, 1}})},
      {"same",
       {spread({1, 2, 4, 3}, 46), spread({2, 2, 3, 5}, 47)},
       with({.padding = Padding::same})},
      {"same, one more behind",
       {spread({1, 2, 3, 4}, 48), spread({2, 2, 2, 4}, 49), spread({2}, 50)},
       with({.padding = Padding::same, .dilation = {3, 1}})},
      {"the same twice", {spread({2, 2, 3, 3}, 42)}, [=](const Variables& v) {
         return conv2d(v[0], v[0], {}, {.padding = 1, .activation = activation});
       }}};
}

std::vector<Sample> conv2d_training_samples_with(Activation activation) {
  std::vector<Sample> all;
  for (const Geometry& g : training_geometries()) {
    Variables inputs{spread(g.x, 1), spread(g.w, 2)};
    if (g.bias) inputs.push_back(spread({g.w[0]}, 3));
    Conv2dOptions options = g.options;
    options.activation = activation;
    all.push_back({described(g), inputs, [=](const Variables& v) {
                     return conv2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), options);
                   }});
  }
  return all;
}

std::vector<Sample> conv2d_samples() { return activation_samples(conv2d_samples_with); }

std::vector<Sample> conv2d_training_samples() {
  return activation_samples(conv2d_training_samples_with);
}

std::vector<Sample> conv2d_input_grad_samples() {
  const auto to = [](const Shape& x, const Conv2dOptions& o) {
    return [=](const Variables& v) { return conv2d_input_grad(v[0], v[1], x, o); };
  };
  return {{"3x3", {spread({2, 4, 3, 2}, 1), spread({4, 2, 3, 3}, 2)}, to({2, 2, 5, 4}, {})},
          {"all sizes different",
           {spread({3, 5, 3, 2}, 3), spread({5, 2, 4, 3}, 4)},
           to({3, 2, 6, 4}, {})},
          {"all sizes equal",
           {spread({3, 3, 3, 3}, 5), spread({3, 3, 3, 3}, 6)},
           to({3, 3, 3, 3}, {.padding = 1})},
          {"stride and padding",
           {spread({2, 3, 3, 4}, 7), spread({3, 2, 3, 3}, 8)},
           to({2, 2, 5, 4}, {.stride = {2, 1}, .padding = 1})},
          {"groups and dilation",
           {spread({2, 4, 4, 2}, 9), spread({4, 1, 3, 3}, 10)},
           to({2, 2, 4, 4}, {.padding = 1, .dilation = {1, 2}, .groups = 2})},
          {"1x1", {spread({2, 3, 2, 2}, 11), spread({3, 2, 1, 1}, 12)}, to({2, 2, 2, 2}, {})},
          {"pixels no window reaches",
           {spread({1, 2, 2, 2}, 13), spread({2, 1, 2, 2}, 14)},
           to({1, 1, 6, 6}, {.stride = 3})},
          {"no images", {spread({0, 3, 2, 2}, 15), spread({3, 2, 3, 3}, 16)}, to({0, 2, 4, 4}, {})},
          {"the same twice", {spread({2, 2, 3, 3}, 17)}, [](const Variables& v) {
             return conv2d_input_grad(v[0], v[0], {2, 2, 5, 5}, {});
           }}};
}

std::vector<Sample> conv2d_input_grad_training_samples() {
  std::vector<Sample> all;
  for (const Geometry& g : training_geometries()) {
    all.push_back({described(g),
                   {spread(output_shape(g), 1), spread(g.w, 2)},
                   [x = g.x, options = g.options](const Variables& v) {
                     return conv2d_input_grad(v[0], v[1], x, options);
                   }});
  }
  return all;
}

std::vector<Sample> conv2d_weight_grad_samples() {
  const auto to = [](const Shape& w, const Conv2dOptions& o) {
    return [=](const Variables& v) { return conv2d_weight_grad(v[0], v[1], w, o); };
  };
  return {{"3x3", {spread({2, 4, 3, 2}, 1), spread({2, 2, 5, 4}, 2)}, to({4, 2, 3, 3}, {})},
          {"all sizes different",
           {spread({3, 5, 3, 2}, 3), spread({3, 2, 6, 4}, 4)},
           to({5, 2, 4, 3}, {})},
          {"all sizes equal",
           {spread({3, 3, 3, 3}, 5), spread({3, 3, 3, 3}, 6)},
           to({3, 3, 3, 3}, {.padding = 1})},
          {"stride and padding",
           {spread({2, 3, 3, 4}, 7), spread({2, 2, 5, 4}, 8)},
           to({3, 2, 3, 3}, {.stride = {2, 1}, .padding = 1})},
          {"groups and dilation",
           {spread({2, 4, 4, 2}, 9), spread({2, 2, 4, 4}, 10)},
           to({4, 1, 3, 3}, {.padding = 1, .dilation = {1, 2}, .groups = 2})},
          {"1x1", {spread({2, 3, 2, 2}, 11), spread({2, 2, 2, 2}, 12)}, to({3, 2, 1, 1}, {})},
          {"pixels no window reaches",
           {spread({1, 2, 2, 2}, 13), spread({1, 1, 6, 6}, 14)},
           to({2, 1, 2, 2}, {.stride = 3})},
          {"no images", {spread({0, 3, 2, 2}, 15), spread({0, 2, 4, 4}, 16)}, to({3, 2, 3, 3}, {})},
          {"the same twice", {spread({2, 2, 3, 3}, 17)}, [](const Variables& v) {
             return conv2d_weight_grad(v[0], v[0], {2, 2, 3, 3}, {.padding = 1});
           }}};
}

std::vector<Sample> conv2d_weight_grad_training_samples() {
  std::vector<Sample> all;
  for (const Geometry& g : training_geometries()) {
    all.push_back({described(g),
                   {spread(output_shape(g), 1), spread(g.x, 2)},
                   [w = g.w, options = g.options](const Variables& v) {
                     return conv2d_weight_grad(v[0], v[1], w, options);
                   }});
  }
  return all;
}

std::vector<Sample> conv1d_samples() {
  const auto with = [](const Conv1dOptions& o) {
    return
        [=](const Variables& v) { return conv1d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), o); };
  };
  return {{"3 with bias", {spread({2, 2, 6}, 1), spread({4, 2, 3}, 2), spread({4}, 3)}, with({})},
          {"all sizes equal", {spread({3, 3, 3}, 4), spread({3, 3, 3}, 5)}, with({.padding = 1})},
          {"every option",
           {spread({2, 4, 9}, 6), spread({2, 2, 3}, 7), spread({2}, 8)},
           with({.stride = 2, .padding = 2, .dilation = 3, .groups = 2})},
          {"a row alone", {spread({2, 5}, 9), spread({3, 2, 1}, 10)}, with({})},
          {"same, one more behind",
           {spread({1, 2, 5}, 11), spread({2, 2, 4}, 12)},
           with({.padding = Padding::same})},
          {"relu",
           {spread({2, 2, 5}, 13), spread({3, 2, 2}, 14)},
           with({.activation = Activation::relu})},
          {"no rows", {spread({0, 2, 4}, 15), spread({3, 2, 3}, 16)}, with({})},
          {"the same twice", {spread({2, 2, 3}, 17)}, [](const Variables& v) {
             return conv1d(v[0], v[0], {}, {.padding = 1});
           }}};
}

std::vector<Sample> conv1d_training_samples() {
  const auto with = [](const Conv1dOptions& o) {
    return [=](const Variables& v) { return conv1d(v[0], v[1], v[2], o); };
  };
  std::vector<Sample> all{{"a signal",
                           {spread({4, 8, 1031}, 1), spread({16, 8, 5}, 2), spread({16}, 3)},
                           with({.padding = 2})},
                          {"stride and dilation",
                           {spread({4, 16, 257}, 4), spread({16, 16, 3}, 5), spread({16}, 6)},
                           with({.stride = 2, .padding = 2, .dilation = 2})}};
  for (const std::int64_t size : remainders) {
    all.push_back({size_name(size),
                   {spread({2, 5, size}, 7), spread({7, 5, 4}, 8), spread({7}, 9)},
                   with({.padding = Padding::same})});
  }
  return all;
}

std::vector<Sample> conv_transpose2d_samples() {
  const auto with = [](const ConvTranspose2dOptions& o) {
    return [=](const Variables& v) {
      return conv_transpose2d(v[0], v[1], v.size() > 2 ? v[2] : Variable(), o);
    };
  };
  return {
      {"3x3 with bias",
       {spread({2, 2, 3, 2}, 1), spread({2, 4, 3, 3}, 2), spread({4}, 3)},
       with({})},
      {"all sizes different", {spread({3, 5, 2, 4}, 4), spread({5, 2, 4, 3}, 5)}, with({})},
      {"all sizes equal", {spread({3, 3, 3, 3}, 6), spread({3, 3, 3, 3}, 7)}, with({.padding = 1})},
      {"twice the size",
       {spread({1, 2, 3, 2}, 8), spread({2, 2, 4, 4}, 9)},
       with({.stride = 2, .padding = 1})},
      {"every option",
       {spread({1, 4, 2, 3}, 10), spread({4, 2, 3, 2}, 11), spread({4}, 12)},
       with({.stride = {3, 2},
             .padding = {1, 0},
             .output_padding = {2, 1},
             .groups = 2,
             .dilation = {1, 2}})},
      {"an output_padding beyond the stride",
       {spread({1, 2, 2, 2}, 13), spread({2, 1, 2, 2}, 14), spread({1}, 15)},
       with({.stride = {1, 2}, .output_padding = {2, 3}, .dilation = {3, 4}})},
      {"depthwise",
       {spread({1, 3, 3, 3}, 16), spread({3, 1, 3, 3}, 17)},
       with({.stride = 2, .groups = 3})},
      {"an image alone",
       {spread({2, 3, 2}, 18), spread({2, 3, 2, 2}, 19), spread({3}, 20)},
       with({})},
      {"no images",
       {spread({0, 2, 3, 3}, 21), spread({2, 3, 2, 2}, 22), spread({3}, 23)},
       with({})},
      {"no input channels",
       {spread({1, 0, 2, 2}, 24), spread({0, 2, 2, 2}, 25), spread({2}, 26)},
       with({})},
      {"the same twice", {spread({2, 2, 3, 3}, 27)}, [](const Variables& v) {
         return conv_transpose2d(v[0], v[0]);
       }}};
}

std::vector<Sample> conv_transpose2d_training_samples() {
  const auto with = [](const ConvTranspose2dOptions& o) {
    return [=](const Variables& v) { return conv_transpose2d(v[0], v[1], v[2], o); };
  };
  std::vector<Sample> all{
      {"twice the size",
       {spread({8, 16, 16, 16}, 1), spread({16, 8, 4, 4}, 2), spread({8}, 3)},
       with({.stride = 2, .padding = 1})},
      {"from one pixel",
       {spread({32, 64, 1, 1}, 4), spread({64, 32, 4, 4}, 5), spread({32}, 6)},
       with({})},
      {"3x3, many channels",
       {spread({4, 64, 17, 15}, 7), spread({64, 48, 3, 3}, 8), spread({48}, 9)},
       with({.padding = 1})},
      {"every option",
       {spread({4, 16, 9, 11}, 10), spread({16, 8, 3, 3}, 11), spread({16}, 12)},
       with({.stride = 2, .padding = 1, .output_padding = 1, .groups = 2, .dilation = 2})}};
  for (const std::int64_t size : remainders) {
    all.push_back({size_name(size),
                   {spread({2, 5, 7, size}, 13), spread({5, 13, 3, 3}, 14), spread({13}, 15)},
                   with({.stride = 2, .padding = 1, .output_padding = 1})});
  }
  return all;
}

}  // namespace

std::vector<OpSamples> conv() {
  return {
      {"conv2d", conv2d_samples, conv2d_training_samples},
      {"conv2d_input_grad", conv2d_input_grad_samples, conv2d_input_grad_training_samples},
      {"conv2d_weight_grad", conv2d_weight_grad_samples, conv2d_weight_grad_training_samples},
      {"conv1d", conv1d_samples, conv1d_training_samples},
      {"conv_transpose2d", conv_transpose2d_samples, conv_transpose2d_training_samples},
  };
}

}  // namespace gradus::samples
