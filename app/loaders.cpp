// The same for every subcommand that trains or evaluates.
#include "loaders.h"

#include <gradus/data/transforms.h>

#include "data_parts.h"
#include "training.h"

namespace gradus::app {

DataLoader training_loader(const Settings& settings, const Dataset& data) {
  DataLoaderOptions options{.batch_size = settings.batch_size,
                            .shuffle = true,
                            .seed = settings.seed,
                            .prefetch = 2 * settings.workers,
                            .workers = settings.workers,
                            .mixup = settings.mixup};
  if (!settings.augment.empty()) options.transform = parse_transforms(settings.augment);
  return DataLoader(data, options);
}

DataLoader evaluation_loader(const Settings& settings, const Dataset& data) {
  return DataLoader(data, {.batch_size = evaluation_batch(image_spec(data)),
                           .prefetch = 2 * settings.workers,
                           .workers = settings.workers});
}

}  // namespace gradus::app
