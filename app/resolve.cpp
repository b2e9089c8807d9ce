// Defaults, a line for each kind of data.
#include "resolve.h"

#include <gradus/core/parallel.h>
#include <gradus/data/transforms.h>
#include <gradus/distributed/data_parallel.h>

#include <charconv>
#include <filesystem>
#include <string_view>
#include <tuple>

#include "build_model.h"
#include "data_parts.h"
#include "exit_code.h"

namespace gradus::app {
namespace {

namespace fs = std::filesystem;

struct Defaults {
  const char* data;  // the beginning of a name
  const char* model;
  std::int64_t epochs;
  std::int64_t batch_size;
  double lr;  // of adam and adamw
};

constexpr Defaults of_named[] = {
    {"digits", "cnn", 20, 32, 0.005},
    {"mnist", "lenet", 3, 64, 0.002},
    {"cifar", "resnet20", 10, 64, 0.002},
    {"", "lenet", 5, 64, 0.002},
};
constexpr Defaults of_own = {"", "cnn", 20, 32, 0.002};

const Defaults& defaults_for(const DataSettings& data) {
  if (!is_named(data)) return of_own;
  const Defaults* row = of_named;
  while (!data.name.starts_with(row->data)) ++row;
  return *row;
}

/// Known before anything is read: an option that only one kind of data has.
void expect_of_own_data(const DataSettings& data, const DataOptions& options) {
  const std::string option = option_of_form(options);
  if (!is_named(data) || option.empty() || option == "--split-seed") return;
  fail<UsageError>(option, " is for data of one's own, not for ", data.name);
}

/// All of `text` as a number of pixels.
std::optional<std::int64_t> pixels_in(std::string_view text) {
  constexpr std::int64_t most = 4096;
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || value < 1 || value > most)
    return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::pair<std::int64_t, std::int64_t>> parse_image_size(const std::string& text) {
  const std::string_view whole = text;
  const std::size_t cross = whole.find('x');
  const auto width = pixels_in(whole.substr(0, cross));
  const auto height = cross == whole.npos ? width : pixels_in(whole.substr(cross + 1));
  if (!width || !height) return std::nullopt;
  return std::pair(*height, *width);
}

std::string option_of_form(const DataOptions& options) {
  if (options.channels != 0) return "--channels";
  if (!options.image_size.empty()) return "--image-size";
  if (options.squash) return "--squash";
  if (options.skip_bad) return "--skip-bad";
  if (!options.label_column.empty()) return "--label-column";
  if (options.test_fraction) return "--test-split";
  return options.split_seed != 0 ? "--split-seed" : "";
}

DataSettings resolve_data(const std::string& name, const std::string& data_dir,
                          const DataOptions& options) {
  DataSettings data{.form = {.channels = options.channels, .squash = options.squash},
                    .skip_bad = options.skip_bad,
                    .label_column = options.label_column,
                    .test_fraction = options.test_fraction.value_or(0),
                    .split_seed = options.split_seed};
  look_for_data(data, name, data_dir);
  if (!options.image_size.empty()) {
    const auto size = parse_image_size(options.image_size);
    if (!size) fail<UsageError>("--image-size ", options.image_size, ": is no size");
    std::tie(data.form.height, data.form.width) = *size;
  }
  expect_of_own_data(data, options);
  return data;
}

void expect_transforms(const std::string& augment) {
  try {
    parse_transforms(augment);
  } catch (const ValueError& error) {
    fail<UsageError>("--augment ", augment, ": ", error.what());
  }
}

Settings resolve(const TrainOptions& o) {
  const bool sgd = o.optimizer == "sgd";
  if (o.momentum && !sgd)
    fail<UsageError>("--momentum belongs to --optimizer sgd, not to ", o.optimizer);
  if (o.patience && o.validation.value_or(0) == 0)
    fail<UsageError>(
        "--patience needs --validation X, images to choose by that are not tested with");
  if (!o.augment.empty()) expect_transforms(o.augment);
  DataSettings data = resolve_data(o.data.empty() ? "digits" : o.data, o.data_dir, o.form);
  data.validation = o.validation.value_or(0);
  const Defaults& usual = defaults_for(data);
  const std::string model = o.model.empty() ? usual.model : o.model;
  return {.data = data,
          .model = model,
          .net = read_net(model),
          .augment = o.augment,
          .mixup = o.mixup,
          .epochs = o.epochs.value_or(usual.epochs),
          .patience = o.patience.value_or(0),
          .batch_size = o.batch_size.value_or(usual.batch_size),
          .optimizer = o.optimizer,
          .lr = o.lr.value_or(sgd ? 0.05 : usual.lr),
          .momentum = sgd ? o.momentum.value_or(0.9) : 0,
          .weight_decay = o.weight_decay.value_or(o.optimizer == "adamw" ? 0.01 : 0),
          .clip_norm = o.clip_norm,
          .label_smoothing = o.label_smoothing,
          .schedule = o.schedule,
          .seed = o.seed,
          .threads = o.threads.value_or(num_threads()),
          .workers = o.workers.value_or(1),
          .tensorboard = o.tensorboard,
          .shards = o.shards.value_or(o.distributed ? DistributedOptions{}.shards : 0)};
}

}  // namespace gradus::app
