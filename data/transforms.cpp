// What transforms have in common, chains of them, their text form, and mixup.
#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/words.h>
#include <gradus/data/transforms.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace gradus {

namespace detail {

Tensor checked_images(std::string_view name, const Tensor& images) {
  if (!images.defined()) fail<ShapeError>(name, ": expects [B,C,H,W], got an undefined tensor");
  if (images.rank() != 4) fail<ShapeError>(name, ": expects [B,C,H,W], got ", images.shape());
  if (images.dtype() != float32) {
    fail<DTypeError>(name, ": expects float32 images, got ", images.dtype(),
                     "; cast with .to(float32)");
  }
  return images.contiguous();
}

void check_number(std::string_view name, std::string_view option, double number, double low,
                  double high) {
  if (number >= low && number <= high) return;
  if (high == std::numeric_limits<double>::max())
    fail<ValueError>(name, ": ", option, " must be finite and at least ", low, ", got ", number);
  fail<ValueError>(name, ": ", option, " must be from ", low, " to ", high, ", got ", number);
}

void check_interval(std::string_view name, std::string_view option, Interval interval, double low,
                    double high) {
  check_number(name, option, interval.low, low, high);
  check_number(name, option, interval.high, low, high);
  if (interval.low <= interval.high) return;
  fail<ValueError>(name, ": ", option, " must go from low to high, got ", interval.low, " to ",
                   interval.high);
}

double draw(Interval interval, Generator& generator) {
  return interval.low + (interval.high - interval.low) * generator.uniform();
}

}  // namespace detail

Transform compose(std::vector<Transform> transforms) {
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    if (!transforms[i]) {
      fail<ValueError>("compose: transform ", i, " of ", transforms.size(), " has no function");
    }
  }
  return [chain = std::move(transforms)](const Tensor& images, Generator& generator) {
    Tensor result = images;
    for (const Transform& transform : chain) result = transform(result, generator);
    return result;
  };
}

// ---- mixup ----

namespace {

/// The logarithm of a number from Gamma(shape, 1), for shape >= 1: G. Marsaglia, W. Tsang, "A simple
/// method for generating gamma variables", ACM Transactions on Mathematical Software 26(3), 2000.
double log_gamma_number(double shape, Generator& generator) {
  const double d = shape - 1.0 / 3.0;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = generator.normal();
    const double u = 1 - generator.uniform();  // above 0
    const double root = 1 + c * x;
    if (root <= 0) continue;
    const double log_v = 3 * std::log(root);
    const double v = root * root * root;
    if (std::log(u) < x * x / 2 + d * (1 - v + log_v)) return std::log(d) + log_v;
  }
}

/// A number from Beta(alpha, alpha), G/(G + G') for two from Gamma(alpha). These are numbers from
/// Gamma(alpha + 1) times u^(1/alpha) (section 6 of the same), which a small alpha makes too small for a
/// double: so only the difference of their logarithms is taken.
double beta_number(double alpha, Generator& generator) {
  const double g = log_gamma_number(alpha + 1, generator);
  const double other_g = log_gamma_number(alpha + 1, generator);
  const double log_u = std::log(1 - generator.uniform());
  const double other_log_u = std::log(1 - generator.uniform());
  return 1 / (1 + std::exp((other_log_u - log_u) / alpha + (other_g - g)));
}

void check_mixup_labels(const Tensor& labels, std::int64_t batch, std::int64_t classes) {
  if (!labels.defined() || labels.shape() != Shape{batch}) {
    fail<ShapeError>("mixup: expects labels [", batch, "], one an image, got ",
                     labels.defined() ? describe(labels) : "an undefined tensor");
  }
  if (labels.dtype() != int64)
    fail<DTypeError>("mixup: expects int64 labels, got ", labels.dtype());
  for (const std::int64_t label : labels.to_vector<std::int64_t>()) {
    if (label < 0 || label >= classes)
      fail<ValueError>("mixup: labels must be from 0 to ", classes - 1, ", got ", label);
  }
}

}  // namespace

MixedBatch mixup(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                 Generator& generator) {
  const Tensor x = detail::checked_images("mixup", images);
  const std::int64_t batch = x.size(0);
  if (classes < 1) fail<ValueError>("mixup: classes must be at least 1, got ", classes);
  detail::check_number("mixup", "alpha", alpha, 0, std::numeric_limits<double>::max());
  check_mixup_labels(labels, batch, classes);

  const auto own = static_cast<float>(alpha > 0 ? beta_number(alpha, generator) : 1);
  const float rest = 1 - own;
  const std::vector<std::int64_t> partner = randperm(batch, generator).to_vector<std::int64_t>();
  const std::vector<std::int64_t> label = labels.to_vector<std::int64_t>();
  MixedBatch mixed{Tensor::empty(x.shape(), float32), zeros({batch, classes}, float32)};
  const std::int64_t width = batch == 0 ? 0 : x.numel() / batch;
  for (std::int64_t i = 0; i < batch; ++i) {
    const std::int64_t j = partner[static_cast<std::size_t>(i)];
    const float* a = x.data<float>() + i * width;
    const float* b = x.data<float>() + j * width;
    float* out = mixed.images.data<float>() + i * width;
    for (std::int64_t p = 0; p < width; ++p) out[p] = own * a[p] + rest * b[p];
    float* target = mixed.targets.data<float>() + i * classes;
    target[label[static_cast<std::size_t>(i)]] += own;
    target[label[static_cast<std::size_t>(j)]] += rest;
  }
  return mixed;
}

// ---- text ----

namespace {

/// The number behind a name, if there is one.
using Number = std::optional<double>;

/// A number of pixels, which is a whole one.
std::int64_t pixels_of(std::string_view name, double number, double least) {
  const std::string option = text_of(name, "'s number of pixels");
  detail::check_number("transforms", option, number, least, detail::most_pixels);
  if (number != std::floor(number))
    fail<ValueError>("transforms: ", option, " must be whole, got ", number);
  return static_cast<std::int64_t>(number);
}

Transform make_pad(Number n) { return pad(pixels_of("pad", n.value_or(2), 0)); }

Transform make_crop(Number n) {
  return random_crop({.padding = pixels_of("crop", n.value_or(4), 0)});
}

Transform make_resized(Number n) {
  return random_resized_crop({.size = n ? pixels_of("resized", *n, 1) : 0});
}

Transform make_flip(Number n) { return random_horizontal_flip(n.value_or(0.5)); }

Transform make_vflip(Number n) { return random_vertical_flip(n.value_or(0.5)); }

Transform make_rotate(Number n) { return random_rotation(n.value_or(10)); }

Transform make_affine(Number n) {
  const double degrees = n.value_or(10);
  detail::check_number("random_affine", "degrees", degrees, 0, 360);
  return random_affine(
      {.degrees = {-degrees, degrees}, .translate = {0.1, 0.1}, .scale = {0.9, 1.1}});
}

Transform make_jitter(Number n) {
  const double x = n.value_or(0.2);
  return color_jitter(
      {.brightness = x, .contrast = x, .saturation = x, .hue = std::min(x / 4, 0.5)});
}

Transform make_erase(Number n) { return random_erasing({.p = n.value_or(0.5)}); }

struct NamedTransform {
  const char* name;
  Transform (*make)(Number);
};
constexpr std::array named_transforms{
    NamedTransform{"pad", make_pad},         NamedTransform{"crop", make_crop},
    NamedTransform{"resized", make_resized}, NamedTransform{"flip", make_flip},
    NamedTransform{"vflip", make_vflip},     NamedTransform{"rotate", make_rotate},
    NamedTransform{"affine", make_affine},   NamedTransform{"jitter", make_jitter},
    NamedTransform{"erase", make_erase},
};

double transform_number(std::string_view name, std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end)
    fail<ValueError>("transforms: ", name, "= expects a number, got ", in_quotes(text, 40));
  return number;
}

Transform parse_transform(std::string_view entry) {
  const std::size_t equals = entry.find('=');
  const std::string_view name = entry.substr(0, equals);
  const auto* found = std::find_if(named_transforms.begin(), named_transforms.end(),
                                   [&](const NamedTransform& t) { return t.name == name; });
  if (found == named_transforms.end()) {
    fail<ValueError>("transforms: unknown ", in_quotes(name, 40), "; known are ",
                     joined(transform_names()), did_you_mean(name, transform_names()));
  }
  if (equals == std::string_view::npos) return found->make(std::nullopt);
  return found->make(transform_number(name, entry.substr(equals + 1)));
}

}  // namespace

const std::vector<std::string>& transform_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const NamedTransform& transform : named_transforms) list.emplace_back(transform.name);
    return list;
  }();
  return names;
}

Transform parse_transforms(std::string_view text) {
  std::vector<Transform> chain;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view entry = text.substr(begin, end - begin);
    if (entry.empty()) {
      fail<ValueError>("transforms: entry ", chain.size() + 1, " of ", in_quotes(text, 40),
                       " is empty; expects name[=number] between commas");
    }
    chain.push_back(parse_transform(entry));
    begin = end + 1;
  }
  return compose(std::move(chain));
}

}  // namespace gradus
