// A small U-Net: which pixel belongs to a circle, which to a square, which to none? The way down
// sees ever more of the image in ever fewer pixels, the way up brings it back to full size, and at
// each size the way down is laid beside it, which still knows exactly where the edges are.
//
// Intersection over union on unseen images, a mean over the three classes: 0.87 (other seeds 0.81
// to 0.89). Background everywhere would give 0.27. It fails below 0.7.
//
// O. Ronneberger, P. Fischer, T. Brox, "U-Net", MICCAI 2015.
#include <gradus/gradus.h>

#include <cstdio>
#include <cstdlib>

using namespace gradus;

namespace {

constexpr std::int64_t side = 32;
constexpr std::int64_t classes = 3;  // background, circle, square

/// Two 3x3 convolutions with batch norm and relu. [N,in,H,W] -> [N,out,H,W]
Sequential double_conv(std::int64_t in, std::int64_t out) {
  return Sequential{
      Conv2d{in, out, {.kernel_size = 3, .padding = 1, .bias = false}},  BatchNorm2d{out}, ReLU{},
      Conv2d{out, out, {.kernel_size = 3, .padding = 1, .bias = false}}, BatchNorm2d{out}, ReLU{}};
}

/// [N,1,H,W] -> [N,3,H,W], scores of each pixel; H and W are multiples of 4.
struct UNet : Module {
  Sequential down1 = double_conv(1, 8);
  Sequential down2 = double_conv(8, 16);
  Sequential bottom = double_conv(16, 32);
  ConvTranspose2d up2{32, 16, {.kernel_size = 2, .stride = 2}};
  Sequential join2 = double_conv(32, 16);
  ConvTranspose2d up1{16, 8, {.kernel_size = 2, .stride = 2}};
  Sequential join1 = double_conv(16, 8);
  Conv2d head{8, classes, 1};

  void visit(Visitor& v) override {
    v("down1", down1);
    v("down2", down2);
    v("bottom", bottom);
    v("up2", up2);
    v("join2", join2);
    v("up1", up1);
    v("join1", join1);
    v("head", head);
  }
  Variable forward(const Variable& x) override {
    const Variable full = down1(x);                                         // [N,8,H,W]
    const Variable half = down2(max_pool2d(full, {.kernel_size = 2}));      // [N,16,H/2,W/2]
    const Variable quarter = bottom(max_pool2d(half, {.kernel_size = 2}));  // [N,32,H/4,W/4]
    const Variable y = join2(cat({half, up2(quarter)}, 1));
    return head(join1(cat({full, up1(y)}, 1)));
  }
};

struct Scenes {
  Tensor images;  // float32 [N,1,side,side]
  Tensor labels;  // int64 [N,side,side]
};

/// A circle and a square, in front of it where they meet, of equal brightness: only the form tells
/// them apart. The noise is half as strong as they are bright.
Scenes draw(std::int64_t count, Generator& generator) {
  Scenes scenes{0.5 * randn({count, 1, side, side}, generator), zeros({count, side, side}, int64)};
  for (std::int64_t n = 0; n < count; ++n) {
    const auto place = [&] { return 6 + generator.below(side - 12); };
    const std::int64_t circle_i = place(), circle_j = place(), radius = 4 + generator.below(4);
    const std::int64_t square_i = place(), square_j = place(), half = 3 + generator.below(4);
    for (std::int64_t pixel = 0; pixel < side * side; ++pixel) {
      const std::int64_t i = pixel / side, di = i - circle_i;
      const std::int64_t j = pixel % side, dj = j - circle_j;
      std::int64_t label = di * di + dj * dj <= radius * radius ? 1 : 0;
      if (std::abs(i - square_i) <= half && std::abs(j - square_j) <= half) label = 2;
      scenes.labels.at<std::int64_t>({n, i, j}) = label;
      if (label > 0) scenes.images.at<float>({n, 0, i, j}) += 1;
    }
  }
  return scenes;
}

/// Intersection over union of what was found and what is there, as a mean over the classes.
double mean_iou(const Tensor& found, const Tensor& labels) {
  double total = 0;
  for (int c = 0; c < classes; ++c) {
    const Tensor a = found == c, b = labels == c;
    total += core::sum(core::logical_and(a, b)).item() / core::sum(core::logical_or(a, b)).item();
  }
  return total / classes;
}

}  // namespace

int main() {
  manual_seed(1);
  Generator& generator = default_generator();
  const Scenes unseen = draw(200, generator);
  const auto iou = [&](UNet& net) {
    const NoGrad no_tape;
    net.eval();
    return mean_iou(core::argmax(net(unseen.images).value(), 1), unseen.labels);
  };
  std::printf("background everywhere: IoU %.3f\n", mean_iou(0 * unseen.labels, unseen.labels));
  UNet net;
  AdamW optimizer(net.parameters(), {.lr = 0.01});
  OneCycleLR schedule(optimizer, {.steps = 300});
  for (int step = 1; step <= 300; ++step) {
    net.train();
    const Scenes batch = draw(16, generator);
    optimizer.zero_grad();
    const Variable loss = cross_entropy(net(batch.images), batch.labels);
    loss.backward();
    optimizer.step();
    schedule.step();
    if (step % 50 == 0) std::printf("step %d: loss %.4f, IoU %.3f\n", step, loss.item(), iou(net));
  }
  return iou(net) >= 0.7 ? 0 : 1;
}
