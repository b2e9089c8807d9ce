// Norms and shares are computed in float64, and of all images, however many: they are small beside training.
#include <gradus/report/vitals.h>

#include <gradus/core/error.h>
#include <gradus/core/math.h>
#include <gradus/core/parallel.h>
#include <gradus/core/storage.h>
#include <gradus/report/detail/units.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace gradus {
namespace {

/// A hash of the numbers' bits, of 64 bits itself: of 100,000 images two different ones have the same with a
/// probability of 3e-10.
std::size_t hash_of(const Tensor& tensor) {
  const Tensor whole = tensor.contiguous();
  const std::int64_t width = size_of(whole.dtype());
  const std::byte* bytes = whole.storage().data() + whole.offset() * width;
  return std::hash<std::string_view>{}(
      {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(whole.numel() * width)});
}

/// Ends of the range of an activation; those of one that has none are infinite.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

struct KnownActivation {
  std::string_view kind;
  bool dies;  // is 0 on a half-line, with slope 0
  Range range;
};

constexpr KnownActivation activations[] = {
    {"ReLU", true, {}},           {"ReLU6", true, {}},

    {"Tanh", false, {-1, 1}},     {"Sigmoid", false, {0, 1}},
    {"Hardtanh", false, {-1, 1}}, {"Hardsigmoid", false, {0, 1}},
};

const KnownActivation* known(std::string_view kind) {
  const auto found = std::ranges::find(activations, kind, &KnownActivation::kind);
  return found == std::end(activations) ? nullptr : found;
}

double dead_share_of(const Tensor& y) {
  const std::vector<bool> lively = detail::lively_units(y);
  if (lively.empty()) return Vitals::unknown;
  return static_cast<double>(std::ranges::count(lively, false)) /
         static_cast<double>(lively.size());
}

/// The share of numbers within a hundredth of the range of one of its ends.
double saturated_share(const Tensor& y, const Range& range) {
  if (y.numel() == 0) return Vitals::unknown;
  const double near = 0.01 * (range.high - range.low);
  std::int64_t at_the_end = 0;
  for (const double value : y.to(float64).to_vector<double>())
    at_the_end += value < range.low + near || value > range.high - near;
  return static_cast<double>(at_the_end) / static_cast<double>(y.numel());
}

/// Of numbers as the net gets them.
struct Sums {
  double numbers = 0;
  double squares = 0;
  double count = 0;
};

Sums sums_of(const Tensor& image, const Normalization& normalization) {
  Sums sums;
  const double white = image.dtype() == uint8 ? 255 : 1;
  const std::int64_t channels = image.size(0);
  for (std::int64_t c = 0; c < channels; ++c) {
    const auto at = static_cast<std::size_t>(normalization.mean.size() == 1 ? 0 : c);
    const double mean = normalization.mean[at];
    const double deviation = normalization.stddev[at];
    for (const double pixel : image.select(0, c).to(float64).to_vector<double>()) {
      const double x = (pixel / white - mean) / deviation;
      sums.numbers += x;
      sums.squares += x * x;
      sums.count += 1;
    }
  }
  return sums;
}

/// What is kept of an image.
struct SeenImage {
  std::size_t hash = 0;
  std::int64_t label = 0;
  Sums sums{};
};

/// Every image, read by all threads: files take a while. The sums of as many as `measured`, evenly spread.
std::vector<SeenImage> look_at(const Dataset& data, std::int64_t measured) {
  constexpr std::int64_t images_at_once = 16;
  std::vector<SeenImage> seen(static_cast<std::size_t>(data.size()));
  const std::int64_t step = std::max<std::int64_t>(
      measured == 0 ? data.size() : (data.size() + measured - 1) / measured, 1);
  parallel_for(data.size(), images_at_once, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const LabeledImage sample = data.get(i);
      SeenImage& image = seen[static_cast<std::size_t>(i)];
      image.hash = hash_of(sample.image);
      image.label = sample.label;
      if (measured > 0 && i % step == 0) image.sums = sums_of(sample.image, data.normalization);
    }
  });
  return seen;
}

double l2_norm(const Tensor& values) {
  const Tensor exact = values.to(float64);
  return std::sqrt(core::sum(core::mul(exact, exact)).item());
}

}  // namespace

NamedTensors values_of(const Module& net) {
  NamedTensors values;
  for (const auto& [name, parameter] : net.named_parameters())
    values.emplace_back(name, parameter.value().clone());
  return values;
}

std::vector<Movement> movements(const Module& net, const NamedTensors& before) {
  const NamedVariables now = net.named_parameters();
  if (now.size() != before.size()) {
    fail<ValueError>("movements: the net has ", now.size(), " parameters, before it had ",
                     before.size());
  }
  std::vector<Movement> movements;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const auto& [name, parameter] = now[i];
    const auto& [old_name, old] = before[i];
    if (name != old_name || parameter.value().shape() != old.shape()) {
      fail<ValueError>("movements: parameter ", i, " is ", name, " ", parameter.value().shape(),
                       ", before it was ", old_name, " ", old.shape());
    }
    const Variable& gradient = parameter.grad();
    movements.push_back(
        {.name = name,
         .norm = l2_norm(old),
         .gradient_norm = gradient.defined() ? l2_norm(gradient.value()) : Vitals::unknown,
         .update_norm = l2_norm(core::sub(parameter.value(), old))});
  }
  return movements;
}

std::vector<Vitals::Layer> layer_vitals(Module& net, const Tensor& images) {
  std::vector<Vitals::Layer> layers;
  std::vector<HookHandle> hooks;
  for (const auto& [path, module] : net.named_modules()) {
    const std::string kind = module->kind();
    const KnownActivation* activation = known(kind);
    if (activation == nullptr) continue;
    const auto see = [&layers, path = path, kind, activation](Module&, const Variable&,
                                                              const Variable& y) -> Variable {
      Vitals::Layer layer{.path = path, .type = kind};
      if (y.value().shape().size() > 1 && activation->dies) layer.dead = dead_share_of(y.value());
      if (std::isfinite(activation->range.low))
        layer.saturated = saturated_share(y.value(), activation->range);
      layers.push_back(std::move(layer));
      return {};
    };
    hooks.push_back(module->register_forward_hook(see));
  }
  const bool training = net.is_training();
  struct Restore {
    std::function<void()> restore;
    ~Restore() { restore(); }
  } const at_the_end{[&] {
    for (HookHandle& hook : hooks) hook.remove();
    net.train(training);
  }};
  const NoGrad no_grad;
  net.eval();
  static_cast<void>(net(images));
  return layers;
}

Vitals::Data data_vitals(const Dataset& train, const Dataset& held_out) {
  constexpr std::int64_t measured = 2048;
  Vitals::Data vitals{
      .class_counts = std::vector<std::int64_t>(static_cast<std::size_t>(train.classes)),
      .held_out = held_out.size()};
  std::unordered_set<std::size_t> trained_with;
  Sums sums;
  for (const SeenImage& image : look_at(train, measured)) {
    ++vitals.class_counts[static_cast<std::size_t>(image.label)];
    trained_with.insert(image.hash);
    sums.numbers += image.sums.numbers;
    sums.squares += image.sums.squares;
    sums.count += image.sums.count;
  }
  for (const SeenImage& image : look_at(held_out, 0))
    vitals.shared += trained_with.contains(image.hash) ? 1 : 0;
  if (sums.count == 0) return vitals;
  vitals.mean = sums.numbers / sums.count;
  vitals.deviation =
      std::sqrt(std::max(0.0, sums.squares / sums.count - vitals.mean * vitals.mean));
  return vitals;
}

double equal_rows(const Tensor& weight) {
  if (weight.shape().empty())
    fail<ShapeError>("equal_rows: weight has no rows, its shape is ", weight.shape());
  const std::int64_t rows = weight.size(0);
  if (rows < 2) return 0;
  std::unordered_map<std::size_t, std::int64_t> counts;
  for (std::int64_t r = 0; r < rows; ++r) ++counts[hash_of(weight.select(0, r))];
  std::int64_t copies = 0;
  for (const auto& [hash, count] : counts) copies += count > 1 ? count : 0;
  return static_cast<double>(copies) / static_cast<double>(rows);
}

}  // namespace gradus
