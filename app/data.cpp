// gradus data: what a data set holds, and what a net would see of it.
#include <gradus/core/words.h>
#include <gradus/data/contact_sheet.h>
#include <gradus/data/image.h>
#include <gradus/data/loader.h>
#include <gradus/data/transforms.h>

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string>

#include "commands.h"
#include "data_parts.h"
#include "exit_code.h"
#include "json.h"
#include "output_file.h"
#include "picture.h"
#include "resolve.h"

namespace gradus::app {
namespace {

std::vector<std::int64_t> count_classes(const Dataset& data) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(data.classes), 0);
  const Tensor labels = data.labels.contiguous();
  for (std::int64_t i = 0; i < labels.numel(); ++i)
    ++counts[static_cast<std::size_t>(labels.data<std::int64_t>()[i])];
  return counts;
}

DataRecord describe(const DataSettings& settings, const DataParts& data) {
  DataRecord record{.name = settings.name,
                    .image = image_spec(data.train),
                    .train_images = data.train.size(),
                    .test_images = data.test.size(),
                    .normalization = data.train.normalization,
                    .checksum = data.checksum};
  const std::vector<std::int64_t> train = count_classes(data.train);
  const std::vector<std::int64_t> test = count_classes(data.test);
  for (std::size_t c = 0; c < train.size(); ++c) {
    const std::string name = data.train.class_name(static_cast<std::int64_t>(c));
    record.classes.push_back({name, train[c], test[c]});
  }
  return record;
}

std::string numbers(const std::vector<double>& values) {
  std::string text;
  for (const double value : values)
    text += fmt::format("{}{:.4f}", text.empty() ? "" : ", ", value);
  return text;
}

void print(const DataRecord& data) {
  fmt::print("{}: {} images to train with, {} to test, {} of {}x{}, {} classes\n", data.name,
             data.train_images, data.test_images,
             data.image.channels == 1   ? "gray"
             : data.image.channels == 3 ? "RGB"
                                        : fmt::format("{} channels", data.image.channels),
             data.image.width, data.image.height, data.image.classes);
  fmt::print("mean {}, deviation {}\n", numbers(data.normalization.mean),
             numbers(data.normalization.stddev));
  std::size_t width = 5;
  for (const DataRecord::Class& row : data.classes) width = std::max(width, row.name.size());
  fmt::print("{:<{}}  {:>8}  {:>8}\n", "class", width, "train", "test");
  for (const DataRecord::Class& row : data.classes)
    fmt::print("{:<{}}  {:>8}  {:>8}\n", printable(row.name), width, row.train, row.test);
}

/// What a net gets in its first batches, labels below.
Tensor preview(const Dataset& data, const DataCommandOptions& options) {
  Dataset plain = data;
  plain.normalization = {};
  DataLoaderOptions how{.batch_size = options.count, .shuffle = true, .seed = options.seed};
  if (!options.augment.empty()) how.transform = parse_transforms(options.augment);
  const DataLoader loader(plain, how);
  std::vector<Tensor> images;
  std::vector<std::string> captions;
  for (const Batch& batch : loader.epoch(0)) {
    for (std::int64_t i = 0; i < batch.labels.numel(); ++i) {
      const auto label = static_cast<std::int64_t>(batch.labels[i].item());
      images.push_back(as_picture(batch.images[i]));
      captions.push_back(data.class_name(label));
    }
    break;
  }
  return contact_sheet(images, captions);
}

}  // namespace

int run_data(const DataCommandOptions& options) {
  const DataSettings settings = resolve_data(options.data, options.data_dir, options.form);
  if (!options.preview.empty()) expect_picture("--preview", options.preview, settings.name);
  if (!options.augment.empty()) expect_transforms(options.augment);
  const DataParts data = load_parts(settings, false);
  if (!options.preview.empty() && !data.pixels.unit)
    fail<UsageError>("--preview: the numbers of ", settings.name, " are not those of pictures");
  if (!options.preview.empty()) write_png(options.preview, preview(data.train, options));
  const DataRecord record = describe(settings, data);
  if (options.json) {
    fmt::print("{}\n", to_json(record));
  } else {
    print(record);
    if (!options.preview.empty()) fmt::print("preview in {}\n", options.preview);
  }
  return exit_ok;
}

}  // namespace gradus::app
