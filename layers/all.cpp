// Every layer, by name. An explicit list: objects that register themselves vanish when a linker
// takes only what is used from a static library.
#include <gradus/layers/activation.h>
#include <gradus/layers/all.h>
#include <gradus/layers/conv.h>
#include <gradus/layers/dropout.h>
#include <gradus/layers/linear.h>
#include <gradus/layers/norm.h>
#include <gradus/layers/pool.h>
#include <gradus/layers/sequential.h>
#include <gradus/layers/shape.h>

namespace gradus {

const std::vector<LayerInfo>& all_layers() {
  static const std::vector<LayerInfo> layers = {
      {"Linear", &Linear::samples},
      {"Conv2d", &Conv2d::samples},
      {"ReLU", &ReLU::samples},
      {"Tanh", &Tanh::samples},
      {"Sigmoid", &Sigmoid::samples},
      {"MaxPool2d", &MaxPool2d::samples},
      {"AvgPool2d", &AvgPool2d::samples},
      {"AdaptiveAvgPool2d", &AdaptiveAvgPool2d::samples},
      {"BatchNorm2d", &BatchNorm2d::samples},
      {"Dropout", &Dropout::samples},
      {"Flatten", &Flatten::samples},
      {"Identity", &Identity::samples},
      {"Sequential", &Sequential::samples},
  };
  return layers;
}

}  // namespace gradus
