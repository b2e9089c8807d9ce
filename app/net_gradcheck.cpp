// Two images are the fewest that a batch norm takes.
#include "net_gradcheck.h"

#include <gradus/autograd/functions.h>
#include <gradus/core/create.h>

#include <utility>

namespace gradus::app {

CheckedBatch batch_to_check(const ImageSpec& image, Generator& generator) {
  constexpr std::int64_t images = 2;
  Tensor pixels = randn({images, image.channels, image.height, image.width}, generator, float64);
  return {.images = std::move(pixels), .labels = randint(0, image.classes, {images}, generator)};
}

GradcheckReport check_net(Module& net, const CheckedBatch& batch, const GradcheckOptions& how) {
  const auto loss = [&](const Variable& scores) { return cross_entropy(scores, batch.labels); };
  return gradcheck(net, batch.images, loss, how);
}

}  // namespace gradus::app
