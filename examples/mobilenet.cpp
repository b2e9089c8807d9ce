// A net of depthwise separable convolutions on the 8x8 digits. An ordinary 3x3 convolution looks at
// neighbours and mixes channels at once, with 9·in·out weights. Here a depthwise one looks at
// neighbours, each channel for itself (groups = channels, 9·in weights), and a 1x1 mixes channels
// (in·out).
//
// It gets 99.4% of the test digits right after ten epochs (other seeds and processors from 98.6%)
// with 9,034 parameters, where ordinary convolutions would take 61,050. It fails below 97%.
//
// A. Howard et al., "MobileNets", 2017.
#include <gradus/gradus.h>

#include <cstdio>

#include "classify.h"

using namespace gradus;

namespace {

/// A convolution, batch norm and relu. No bias, which the batch norm would subtract again.
void append_conv(Sequential& net, std::int64_t in, std::int64_t out,
                 const Conv2dLayerOptions& options) {
  net.append(Conv2d{in, out, options}).append(BatchNorm2d{out}).append(ReLU{});
}

/// 3x3 with a stride: `separable` or ordinary.  [N,in,H,W] -> [N,out,H/stride,W/stride]
void append_block(Sequential& net, std::int64_t in, std::int64_t out, std::int64_t stride,
                  bool separable) {
  const Conv2dLayerOptions look = {.kernel_size = 3,
                                   .stride = stride,
                                   .padding = 1,
                                   .groups = separable ? in : 1,
                                   .bias = false};
  append_conv(net, in, separable ? in : out, look);
  if (separable) append_conv(net, in, out, {.kernel_size = 1, .bias = false});
}

Sequential make_net(bool separable) {
  Sequential net;
  append_conv(net, 1, 16, {.kernel_size = 3, .padding = 1, .bias = false});  // -> [N,16,8,8]
  append_block(net, 16, 32, 1, separable);                                   // -> [N,32,8,8]
  append_block(net, 32, 64, 2, separable);                                   // -> [N,64,4,4]
  append_block(net, 64, 64, 1, separable);
  net.append(AdaptiveAvgPool2d{1}).append(Flatten{}).append(Linear{64, 10});
  return net;
}

}  // namespace

int main() {
  manual_seed(1);
  const DataSplit digits = load_digits();
  Sequential model = make_net(true);
  const std::int64_t count = model.parameter_count();
  const std::int64_t ordinary = make_net(false).parameter_count();
  std::printf("%lld parameters; with ordinary convolutions %lld\n", static_cast<long long>(count),
              static_cast<long long>(ordinary));

  AdamW optimizer(model.parameters(), {.lr = 0.01});
  return train(model, optimizer, digits, 10) >= 0.97 ? 0 : 1;
}
