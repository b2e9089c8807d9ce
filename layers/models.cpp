// The models, spelled out layer by layer.
#include <gradus/layers/activation.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/models.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/shape.h>

#include <memory>

namespace gradus {
namespace {

/// A convolution, batch norm and relu, for the end of a net. No bias, as in make_cnn.
void append_conv_norm_relu(Sequential& net, std::int64_t in, std::int64_t out,
                           std::int64_t kernel_size, std::int64_t stride, std::int64_t groups,
                           Generator& g) {
  net.append(Conv2d{in,
                    out,
                    {.kernel_size = kernel_size,
                     .stride = stride,
                     .padding = kernel_size / 2,
                     .groups = groups,
                     .bias = false},
                    g});
  net.append(BatchNorm2d{out}).append(ReLU{});
}

/// The mean of each channel, and a linear layer on these.
void append_head(Sequential& net, std::int64_t channels, std::int64_t classes, Generator& g) {
  net.append(AdaptiveAvgPool2d{1}).append(Flatten{}).append(Linear{channels, classes, {}, g});
}

/// relu(body(x) + shortcut(x))
Residual make_residual(std::int64_t in, std::int64_t out, Generator& g) {
  const std::int64_t stride = in == out ? 1 : 2;
  Sequential body;
  append_conv_norm_relu(body, in, out, 3, stride, 1, g);
  body.append(Conv2d{out, out, {.kernel_size = 3, .padding = 1, .bias = false}, g});
  body.append(BatchNorm2d{out});
  std::unique_ptr<Sequential> shortcut;
  if (in != out) {
    shortcut = std::make_unique<Sequential>(
        Conv2d{in, out, {.kernel_size = 1, .stride = stride, .bias = false}, g}, BatchNorm2d{out});
  }
  return Residual(std::make_unique<Sequential>(std::move(body)), std::move(shortcut),
                  Activation::relu);
}

}  // namespace

Sequential make_lenet(std::int64_t classes, Generator& g) {
  return Sequential{
      Conv2d{1, 6, {.kernel_size = 5, .padding = 2}, g},  // [N,1,28,28] -> [N,6,28,28]
      ReLU{},
      MaxPool2d{{.kernel_size = 2}},         // [N,6,14,14]
      Conv2d{6, 16, {.kernel_size = 5}, g},  // [N,16,10,10]
      ReLU{},
      MaxPool2d{{.kernel_size = 2}},  // [N,16,5,5]
      Flatten{},                      // [N,400]
      Linear{400, 120, {}, g},
      ReLU{},
      Linear{120, 84, {}, g},
      ReLU{},
      Linear{84, classes, {}, g},
  };
}

Sequential make_cnn(std::int64_t channels, std::int64_t classes, Generator& g) {
  // No bias before a batch norm, which would subtract it again.
  return Sequential{
      Conv2d{channels, 16, {.kernel_size = 3, .padding = 1, .bias = false}, g},  // -> [N,16,H,W]
      BatchNorm2d{16},
      ReLU{},
      Conv2d{16, 16, {.kernel_size = 1, .bias = false}, g},
      BatchNorm2d{16},
      ReLU{},
      MaxPool2d{{.kernel_size = 2}},                                       // [N,16,H/2,W/2]
      Conv2d{16, 32, {.kernel_size = 3, .padding = 1, .bias = false}, g},  // [N,32,H/2,W/2]
      BatchNorm2d{32},
      ReLU{},
      Conv2d{32, 32, {.kernel_size = 1, .bias = false}, g},
      BatchNorm2d{32},
      ReLU{},
      AdaptiveAvgPool2d{4},  // [N,32,4,4]; leaves the digits' 4x4 as they are
      Flatten{},             // [N,512]
      Linear{512, classes, {}, g},
  };
}

Sequential make_mlp(std::int64_t inputs, std::int64_t classes, Generator& g) {
  return Sequential{
      Flatten{}, Linear{inputs, 256, {}, g},  ReLU{}, Linear{256, 128, {}, g},
      ReLU{},    Linear{128, classes, {}, g},
  };
}

Sequential make_resnet20(std::int64_t channels, std::int64_t classes, Generator& g) {
  Sequential net;
  append_conv_norm_relu(net, channels, 16, 3, 1, 1, g);  // [N,C,H,W] -> [N,16,H,W]
  std::int64_t in = 16;
  for (const std::int64_t out : {16, 32, 64}) {  // -> [N,64,H/4,W/4]
    for (int block = 0; block < 3; ++block) {
      net.append(make_residual(in, out, g));
      in = out;
    }
  }
  append_head(net, in, classes, g);
  return net;
}

Sequential make_mobilenet(std::int64_t channels, std::int64_t classes, Generator& g) {
  Sequential net;
  append_conv_norm_relu(net, channels, 32, 3, 1, 1, g);  // [N,C,H,W] -> [N,32,H,W]
  std::int64_t in = 32;
  std::int64_t stride = 1;
  for (const std::int64_t out : {64, 128, 128}) {  // -> [N,128,H/4,W/4]
    append_conv_norm_relu(net, in, in, 3, stride, in, g);
    append_conv_norm_relu(net, in, out, 1, 1, 1, g);
    in = out;
    stride = 2;
  }
  append_head(net, in, classes, g);
  return net;
}

Sequential make_nin(std::int64_t channels, std::int64_t classes, Generator& g) {
  struct Block {
    std::int64_t kernel_size;
    std::int64_t widths[3];  // of the convolution, and of the two of 1x1 behind it
  };
  const Block blocks[] = {{5, {48, 40, 24}}, {5, {48, 48, 48}}, {3, {48, 48, classes}}};
  Sequential net;
  std::int64_t in = channels;
  for (const Block& block : blocks) {  // [N,C,H,W] -> [N,classes,H/4,W/4], rounded up
    if (!net.empty()) net.append(MaxPool2d{{.kernel_size = 3, .stride = 2, .padding = 1}});
    std::int64_t kernel_size = block.kernel_size;
    for (const std::int64_t out : block.widths) {
      append_conv_norm_relu(net, in, out, kernel_size, 1, 1, g);
      in = out;
      kernel_size = 1;
    }
  }
  net.append(AdaptiveAvgPool2d{1}).append(Flatten{});
  return net;
}

const std::vector<std::string>& model_names() {
  static const std::vector<std::string> names = {"cnn",       "lenet", "mlp",
                                                 "mobilenet", "nin",   "resnet20"};
  return names;
}

Sequential make_model(std::string_view name, const ImageSpec& image, Generator& generator) {
  const auto [channels, height, width, classes] = image;
  if (channels < 1 || height < 1 || width < 1 || classes < 1) {
    fail<ValueError>("make_model: sizes must be positive, got channels ", channels, ", height ",
                     height, ", width ", width, ", classes ", classes);
  }
  if (name == "lenet") {
    if (channels != 1 || height != 28 || width != 28) {
      fail<ValueError>("make_model: lenet takes images of [1,28,28], got ",
                       Shape{channels, height, width}, "; cnn takes any size");
    }
    return make_lenet(classes, generator);
  }
  if (name == "cnn") {
    if (height < 2 || width < 2) {
      fail<ValueError>("make_model: cnn takes images of at least 2x2, got ", height, "x", width);
    }
    return make_cnn(channels, classes, generator);
  }
  if (name == "mobilenet") return make_mobilenet(channels, classes, generator);
  if (name == "nin") return make_nin(channels, classes, generator);
  if (name == "resnet20") return make_resnet20(channels, classes, generator);
  if (name == "mlp") return make_mlp(channels * height * width, classes, generator);
  fail<ValueError>("make_model: no model named ", name, "; known are ", joined(model_names()));
}

}  // namespace gradus
