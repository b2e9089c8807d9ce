// The same for every subcommand that trains or evaluates.
#include "loaders.h"

#include <gradus/core/create.h>
#include <gradus/data/transforms.h>

#include "exit_code.h"
#include "training.h"

namespace gradus::app {
namespace {

/// Known before the first step, by trying it on one image.
Transform augmentation(const Settings& settings, const DataParts& data) {
  if (!data.pixels.unit) {
    fail<UsageError>("--augment is for pictures; the numbers of ", short_name(settings.data),
                     " are not from 0 to 1 or 255");
  }
  const Transform transform = parse_transforms(settings.augment);
  const Shape shape = data.train.image_shape();
  const Tensor one = zeros({1, shape[0], shape[1], shape[2]}, float32);
  Generator generator;
  const Shape made = [&] {
    try {
      return transform(one, generator).shape();
    } catch (const Error& error) {
      fail<UsageError>("--augment ", settings.augment, ": ", error.what());
    }
  }();
  if (made != one.shape()) {
    fail<UsageError>("--augment ", settings.augment, ": makes images of ",
                     Shape{made[1], made[2], made[3]}, ", the net is tested with ", shape);
  }
  return transform;
}

}  // namespace

DataLoader training_loader(const Settings& settings, const DataParts& data,
                           const BatchShards& part) {
  DataLoaderOptions options{.batch_size = settings.batch_size,
                            .shuffle = true,
                            .seed = settings.seed,
                            .prefetch = 2 * settings.workers,
                            .workers = settings.workers,
                            .mixup = settings.mixup,
                            .shards = part};
  if (!settings.augment.empty()) options.transform = augmentation(settings, data);
  return DataLoader(data.train, options);
}

DataLoader evaluation_loader(const Settings& settings, const Dataset& data) {
  return DataLoader(data, {.batch_size = evaluation_batch(image_spec(data)),
                           .prefetch = 2 * settings.workers,
                           .workers = settings.workers});
}

}  // namespace gradus::app
