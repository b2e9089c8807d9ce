// What is measured: the nets and the single convolutions, as plain descriptions. Both programs
// build from these, layer by layer, so they cannot differ; and the arithmetic is counted here,
// once, for both. Knows neither Gradus nor libtorch.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

constexpr std::int64_t classes = 10;

struct Layer {
  enum class Kind {
    conv,
    batch_norm,
    relu,
    max_pool,     // 2x2
    global_pool,  // [N,C,H,W] -> [N,C,1,1]
    flatten,
    linear,
    residual,  // relu(body(x) + shortcut(x))
  };
  Kind kind = Kind::conv;
  std::int64_t in = 0;  // channels, or features
  std::int64_t out = 0;
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  std::vector<Layer> body = {};
  std::vector<Layer> shortcut = {};  // empty: x itself
};

using Net = std::vector<Layer>;

/// The shape of one image.
struct Image {
  std::int64_t channels;
  std::int64_t height;
  std::int64_t width;
};

enum class Kind { train, infer, conv_forward, conv_training, sgemm };

inline const char* to_string(Kind kind) {
  switch (kind) {
    case Kind::train:
      return "train";
    case Kind::infer:
      return "infer";
    case Kind::conv_forward:
      return "conv_forward";
    case Kind::conv_training:
      return "conv_training";
    case Kind::sgemm:
      return "sgemm";
  }
  return "";
}

struct Workload {
  std::string name;
  Kind kind;
  std::int64_t batch;
  Image image;
  Net net;             // of the conv kinds, one convolution
  bool quick = false;  // one of those that `--quick` runs
  // Instead of its 1x1 convolution, the bare matrix products that it consists of, by BLAS: what
  // could be reached without writing another GEMM.
  bool products = false;

  std::string full_name() const { return name + "/" + to_string(kind); }
  bool is_convolution() const { return kind == Kind::conv_forward || kind == Kind::conv_training; }
  /// A dense 1x1 convolution: a matrix product for each image.
  bool has_products() const {
    return is_convolution() && net[0].kernel == 1 && net[0].stride == 1 && net[0].groups == 1;
  }
};

// ---- The nets ----

inline void append(Net& net, const Net& more) { net.insert(net.end(), more.begin(), more.end()); }

/// No bias: batch norm would subtract it again.
inline Net conv_norm(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                     std::int64_t groups = 1) {
  return {{.kind = Layer::Kind::conv,
           .in = in,
           .out = out,
           .kernel = kernel,
           .stride = stride,
           .padding = kernel / 2,
           .groups = groups,
           .bias = false},
          {.kind = Layer::Kind::batch_norm, .in = out, .out = out}};
}

inline Net conv_norm_relu(std::int64_t in, std::int64_t out, std::int64_t kernel,
                          std::int64_t stride = 1, std::int64_t groups = 1) {
  Net net = conv_norm(in, out, kernel, stride, groups);
  net.push_back({.kind = Layer::Kind::relu});
  return net;
}

inline Layer linear(std::int64_t in, std::int64_t out) {
  return {.kind = Layer::Kind::linear, .in = in, .out = out};
}

inline void append_head(Net& net, std::int64_t channels) {
  append(net, {{.kind = Layer::Kind::global_pool},
               {.kind = Layer::Kind::flatten},
               linear(channels, classes)});
}

/// Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and
/// max-pooling: gradus::make_lenet.
inline Net lenet() {
  return {{.kind = Layer::Kind::conv, .in = 1, .out = 6, .kernel = 5, .padding = 2},
          {.kind = Layer::Kind::relu},
          {.kind = Layer::Kind::max_pool},
          {.kind = Layer::Kind::conv, .in = 6, .out = 16, .kernel = 5},
          {.kind = Layer::Kind::relu},
          {.kind = Layer::Kind::max_pool},
          {.kind = Layer::Kind::flatten},
          linear(400, 120),
          {.kind = Layer::Kind::relu},
          linear(120, 84),
          {.kind = Layer::Kind::relu},
          linear(84, classes)};
}

inline Net mlp() {
  return {{.kind = Layer::Kind::flatten}, linear(784, 256),
          {.kind = Layer::Kind::relu},    linear(256, 128),
          {.kind = Layer::Kind::relu},    linear(128, classes)};
}

/// In the manner of M. Lin, Q. Chen, S. Yan, "Network in network", 2014: 3x3, then 1x1. It is wider
/// than gradus::make_nin and ends with a linear layer; it stays as it is, so that figures compare.
inline Net nin() {
  Net net;
  std::int64_t in = 3;
  for (const std::int64_t out : {32, 64, 128}) {
    if (in != 3) net.push_back({.kind = Layer::Kind::max_pool});
    append(net, conv_norm_relu(in, out, 3));
    append(net, conv_norm_relu(out, out, 1));
    in = out;
  }
  append_head(net, in);
  return net;
}

/// K. He et al., "Deep residual learning for image recognition", 2015, section 4.2, n = 3; where
/// the shape changes the shortcut is a 1x1 convolution.
inline Net resnet20() {
  Net net = conv_norm_relu(3, 16, 3);
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64}) {
    for (int block = 0; block < 3; ++block) {
      const std::int64_t stride = in == out ? 1 : 2;
      Net body = conv_norm_relu(in, out, 3, stride);
      append(body, conv_norm(out, out, 3, 1));
      Net shortcut;
      if (in != out) shortcut = conv_norm(in, out, 1, stride);
      net.push_back({.kind = Layer::Kind::residual,
                     .in = in,
                     .out = out,
                     .body = std::move(body),
                     .shortcut = std::move(shortcut)});
      in = out;
    }
  }
  append_head(net, in);
  return net;
}

/// In the manner of A. Howard et al., "MobileNets", 2017: depthwise 3x3, then pointwise.
inline Net mobilenet() {
  Net net = conv_norm_relu(3, 32, 3);
  std::int64_t in = 32;
  std::int64_t stride = 1;
  for (const std::int64_t out : {64, 128, 128}) {
    append(net, conv_norm_relu(in, in, 3, stride, in));
    append(net, conv_norm_relu(in, out, 1));
    in = out;
    stride = 2;
  }
  append_head(net, in);
  return net;
}

// ---- The list ----

/// The number that `text` is, if it is one and not negative; else -1.
inline std::int64_t number_of(std::string_view text) {
  std::int64_t number = -1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? number : -1;
}

/// "lenet-64": a net and a batch size; "nin-16@48": on images of 48x48. nullopt for what is no such
/// name, and for a size that the net does not take.
inline std::optional<Workload> net_workload(std::string_view name, Kind kind) {
  struct Known {
    std::string_view name;
    Net (*net)();
    Image image;
    bool any_size;
  };
  const Known known[] = {{"lenet", lenet, {1, 28, 28}, false},
                         {"mlp", mlp, {1, 28, 28}, false},
                         {"nin", nin, {3, 32, 32}, true},
                         {"resnet20", resnet20, {3, 32, 32}, true},
                         {"mobilenet", mobilenet, {3, 32, 32}, true}};
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::size_t at = name.find('@');
  const std::int64_t batch =
      number_of(name.substr(dash + 1, at == std::string_view::npos ? at : at - dash - 1));
  for (const auto& [net_name, net, image, any_size] : known) {
    if (name.substr(0, dash) != net_name || batch < 1) continue;
    Workload found = {std::string(name), kind, batch, image, net()};
    if (at == std::string_view::npos) return found;
    const std::int64_t side = number_of(name.substr(at + 1));
    if (!any_size || side < 4) return std::nullopt;
    found.image.height = found.image.width = side;
    return found;
  }
  return std::nullopt;
}

/// A single convolution, without bias.
inline Workload conv_workload(std::string name, Kind kind, std::int64_t batch, std::int64_t side,
                              Layer conv) {
  conv.kind = Layer::Kind::conv;
  conv.bias = false;
  return {std::move(name), kind, batch, {conv.in, side, side}, {std::move(conv)}};
}

/// "conv:N,C,S,F,k,stride,padding[,groups[,dilation]]": any convolution of N images of S x S from C
/// to F channels. nullopt for what is none.
inline std::optional<Workload> any_conv_workload(std::string_view name, Kind kind) {
  constexpr std::string_view prefix = "conv:";
  if (!name.starts_with(prefix)) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (std::string_view rest = name.substr(prefix.size());;) {
    const std::size_t comma = rest.find(',');
    numbers.push_back(number_of(rest.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  constexpr std::size_t padding = 6;
  if (numbers.size() < 7 || numbers.size() > 9) return std::nullopt;
  numbers.resize(9, 1);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < (i == padding ? 0 : 1)) return std::nullopt;
  }
  const Layer conv = {.in = numbers[1],
                      .out = numbers[3],
                      .kernel = numbers[4],
                      .stride = numbers[5],
                      .padding = numbers[padding],
                      .dilation = numbers[8],
                      .groups = numbers[7]};
  const bool fits = conv.dilation * (conv.kernel - 1) < numbers[2] + 2 * conv.padding;
  if (!fits || conv.in % conv.groups != 0 || conv.out % conv.groups != 0) return std::nullopt;
  return conv_workload(std::string(name), kind, numbers[0], numbers[2], conv);
}

/// A convolution by itself, of `batch` images of side x side.
struct Single {
  const char* name;
  std::int64_t batch, in, side, out, kernel, stride, padding, groups = 1, dilation = 1;
};

/// Kernel, stride; channels in, channels out; side of the image; -n: the batch, where it is small.
inline constexpr Single single_convolutions[] = {
    {"conv3x3-64-64@32", 32, 64, 32, 64, 3, 1, 1},
    {"conv3x3-128-128@28", 32, 128, 28, 128, 3, 1, 1},
    {"conv3x3s2-64-128@32", 32, 64, 32, 128, 3, 2, 1},
    {"conv1x1-64-64@32", 32, 64, 32, 64, 1, 1, 0},
    {"conv1x1-256-256@14", 32, 256, 14, 256, 1, 1, 0},
    {"conv1x1s2-256-512@14", 32, 256, 14, 512, 1, 2, 0},
    {"conv5x5-1-6@28", 64, 1, 28, 6, 5, 1, 2},
    {"conv5x5-6-16@14", 64, 6, 14, 16, 5, 1, 0},
    {"conv3x3-3-16@32", 32, 3, 32, 16, 3, 1, 1},
    {"depthwise3x3-64@32", 32, 64, 32, 64, 3, 1, 1, 64},
    {"grouped3x3-64-64@32", 32, 64, 32, 64, 3, 1, 1, 4},
    {"dilated3x3-64-64@32", 32, 64, 32, 64, 3, 1, 2, 1, 2},
    // Small planes, few channels, one image.
    {"depthwise3x3s2-128@16", 32, 128, 16, 128, 3, 2, 1, 128},
    {"conv3x3-128-128@4", 32, 128, 4, 128, 3, 1, 1},
    {"conv3x3-16-32@7", 64, 16, 7, 32, 3, 1, 1},
    {"conv1x1-256-256@14-n1", 1, 256, 14, 256, 1, 1, 0},
    {"conv3x3s2-32-64@16", 32, 32, 16, 64, 3, 2, 1},
    {"conv3x3-256-256@8", 32, 256, 8, 256, 3, 1, 1},
    // ResNet-20.
    {"resnet20.16-16@32-n1", 1, 16, 32, 16, 3, 1, 1},
    {"resnet20.16-16@32", 32, 16, 32, 16, 3, 1, 1},
    {"resnet20.16-32s2@32-n8", 8, 16, 32, 32, 3, 2, 1},
    {"resnet20.32-32@16-n8", 8, 32, 16, 32, 3, 1, 1},
    {"resnet20.64-64@8", 64, 64, 8, 64, 3, 1, 1},
    // MobileNet.
    {"mobilenet.dw32@32-n8", 8, 32, 32, 32, 3, 1, 1, 32},
    {"mobilenet.dw64s2@32", 32, 64, 32, 64, 3, 2, 1, 64},
    {"mobilenet.dw128@8", 64, 128, 8, 128, 3, 1, 1, 128},
    {"mobilenet.dw256@4", 32, 256, 4, 256, 3, 1, 1, 256},
    {"mobilenet.32-64@32-n1", 1, 32, 32, 64, 1, 1, 0},
    {"mobilenet.128-128@8", 64, 128, 8, 128, 1, 1, 0},
    // VGG, small.
    {"vgg.3-64@32-n8", 8, 3, 32, 64, 3, 1, 1},
    {"vgg.64-128@16", 32, 64, 16, 128, 3, 1, 1},
    {"vgg.256-256@4", 64, 256, 4, 256, 3, 1, 1},
    // U-Net.
    {"unet.1-16@64-n8", 8, 1, 64, 16, 3, 1, 1},
    {"unet.32-16@64-n8", 8, 32, 64, 16, 3, 1, 1},
    {"unet.64-64@16-n1", 1, 64, 16, 64, 3, 1, 1},
    {"unet.16-1@64-n8", 8, 16, 64, 1, 1, 1, 0},
    // DCGAN, the discriminator.
    {"dcgan.1-32@28-n64", 64, 1, 28, 32, 4, 2, 1},
    {"dcgan.32-64@14-n64", 64, 32, 14, 64, 4, 2, 1},
    {"dcgan.64-128@7-n32", 32, 64, 7, 128, 3, 2, 1},
    // LeNet.
    {"lenet.1-6@28-n1", 1, 1, 28, 6, 5, 1, 2},
    {"lenet.6-16@14-n1", 1, 6, 14, 16, 5, 1, 0},
    {"lenet.6-16@14-n8", 8, 6, 14, 16, 5, 1, 0},
};

/// What ./run bench measures, in this order.
inline std::vector<Workload> all_workloads() {
  std::vector<Workload> all;
  for (const Kind kind : {Kind::train, Kind::infer}) {
    for (const char* name :
         {"lenet-64", "lenet-1", "mlp-64", "nin-64", "resnet20-32", "mobilenet-32"}) {
      all.push_back(*net_workload(name, kind));
    }
  }
  for (const Kind kind : {Kind::conv_forward, Kind::conv_training}) {
    for (const Single& s : single_convolutions) {
      all.push_back(conv_workload(s.name, kind, s.batch, s.side,
                                  {.in = s.in,
                                   .out = s.out,
                                   .kernel = s.kernel,
                                   .stride = s.stride,
                                   .padding = s.padding,
                                   .dilation = s.dilation,
                                   .groups = s.groups}));
    }
  }
  for (Workload& workload : all) {
    for (const char* quick :
         {"lenet-64", "nin-64", "conv3x3-64-64@32", "conv1x1-64-64@32", "depthwise3x3-64@32"}) {
      if (workload.name == quick) workload.quick = true;
    }
  }
  return all;
}

/// The side of the matrices whose product sets the scale: so large that BLAS is at its best.
constexpr std::int64_t sgemm_side = 1536;

/// By full name, "lenet-64/train". Also nets at sizes that are not in the list, any convolution,
/// "sgemm/sgemm", and "conv1x1-64-64@32/conv_forward/products".
inline std::optional<Workload> find_workload(std::string_view full_name) {
  constexpr std::string_view products = "/products";
  if (full_name.ends_with(products)) {
    std::optional<Workload> whole =
        find_workload(full_name.substr(0, full_name.size() - products.size()));
    if (!whole || !whole->has_products()) return std::nullopt;
    whole->products = true;
    return whole;
  }
  for (const Workload& workload : all_workloads()) {
    if (workload.full_name() == full_name) return workload;
  }
  const std::string_view name = full_name.substr(0, full_name.find('/'));
  for (const Kind kind : {Kind::train, Kind::infer}) {
    const std::optional<Workload> found = net_workload(name, kind);
    if (found && found->full_name() == full_name) return found;
  }
  for (const Kind kind : {Kind::conv_forward, Kind::conv_training}) {
    const std::optional<Workload> found = any_conv_workload(name, kind);
    if (found && found->full_name() == full_name) return found;
  }
  if (full_name == "sgemm/sgemm") {
    return Workload{"sgemm", Kind::sgemm, 1, {1, sgemm_side, sgemm_side}, {}};
  }
  return std::nullopt;
}

// ---- The arithmetic ----

/// What one image costs, and what becomes of it on the way.
class FlopCounter {
 public:
  FlopCounter(Image image, bool training, bool input_has_gradient)
      : image_(image), training_(training), has_gradient_(input_has_gradient) {}

  void add(const Net& net) {
    for (const Layer& layer : net) add(layer);
  }
  std::int64_t flops() const { return flops_; }

 private:
  void add(const Layer& layer) {
    switch (layer.kind) {
      case Layer::Kind::conv: {
        const std::int64_t reach = layer.dilation * (layer.kernel - 1) + 1;
        image_ = {layer.out, (image_.height + 2 * layer.padding - reach) / layer.stride + 1,
                  (image_.width + 2 * layer.padding - reach) / layer.stride + 1};
        product(image_.height * image_.width, layer.out,
                layer.in / layer.groups * layer.kernel * layer.kernel);
        break;
      }
      case Layer::Kind::linear:
        product(1, layer.out, layer.in);
        break;
      case Layer::Kind::max_pool:
        image_.height /= 2;
        image_.width /= 2;
        break;
      case Layer::Kind::residual: {
        FlopCounter side = *this;
        side.flops_ = 0;
        side.add(layer.shortcut);
        add(layer.body);
        flops_ += side.flops_;
        break;
      }
      case Layer::Kind::batch_norm:
      case Layer::Kind::relu:
      case Layer::Kind::global_pool:
      case Layer::Kind::flatten:
        break;  // no product: not counted
    }
  }

  /// A multiplication and an addition for each; in training as many for the gradient of the
  /// weights, and again for that of the input, unless the input is the data.
  void product(std::int64_t rows, std::int64_t columns, std::int64_t inner) {
    const std::int64_t times = training_ ? (has_gradient_ ? 3 : 2) : 1;
    flops_ += times * 2 * rows * columns * inner;
    has_gradient_ = true;  // behind the first weight everything has
  }

  Image image_;
  bool training_;
  bool has_gradient_;
  std::int64_t flops_ = 0;
};

/// Floating-point operations of one step in convolutions and matrix products. Those that meet a
/// zero of the padding count, as everywhere.
inline std::int64_t flops(const Workload& workload) {
  if (workload.kind == Kind::sgemm) return 2 * sgemm_side * sgemm_side * sgemm_side;
  const bool training = workload.kind == Kind::train || workload.kind == Kind::conv_training;
  FlopCounter counter(workload.image, training, workload.kind == Kind::conv_training);
  counter.add(workload.net);
  return counter.flops() * workload.batch;
}

}  // namespace bench
