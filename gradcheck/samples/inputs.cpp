// Inputs of samples, and the corners that functions have in common.
#include <gradus/gradcheck/samples/inputs.h>

#include <algorithm>

namespace gradus::samples {

Variable spread(const Shape& shape, std::uint64_t seed, Range range) {
  Generator generator(seed);
  const std::int64_t count = shape.numel();
  const Tensor order = randperm(count, generator).to(float64);
  const double step =
      (range.high - range.low) / static_cast<double>(std::max<std::int64_t>(count, 1));
  const Tensor values = core::add(core::mul(core::add(order, 0.37), step), range.low);
  return Variable(values.reshape(shape), true);
}

Variable beside(const Shape& shape, std::uint64_t seed, Range range) {
  const auto count = static_cast<double>(std::max<std::int64_t>(shape.numel(), 1));
  const double half_step = (range.high - range.low) / count / 2;
  return spread(shape, seed, {range.low + half_step, range.high + half_step});
}

Variable positive(const Shape& shape, std::uint64_t seed) {
  return spread(shape, seed, above_zero);
}

std::vector<Sample> unary_samples(const std::function<Variable(const Variables&)>& f, Range range,
                                  const std::vector<Sample>& more) {
  std::vector<Sample> all{{"all sizes different", {spread({3, 4, 5}, 1, range)}, f},
                          {"a square", {spread({4, 4}, 2, range)}, f},
                          {"a scalar", {spread({}, 3, range)}, f},
                          {"nothing", {spread({0, 3}, 4, range)}, f}};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

std::vector<Sample> activation_samples(
    const std::function<std::vector<Sample>(Activation)>& samples) {
  std::vector<Sample> all = samples(Activation::none);
  for (Sample& sample : samples(Activation::relu)) {
    sample.description += ", relu";
    all.push_back(std::move(sample));
  }
  return all;
}

std::string size_name(std::int64_t size) { return "size " + std::to_string(size); }

std::vector<Sample> unary_training_samples(const std::function<Variable(const Variables&)>& f,
                                           Range range) {
  std::vector<Sample> all{{"many", {spread({many_elements}, 1, range)}, f},
                          {"images", {spread({4, 16, 33, 31}, 2, range)}, f}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({size}, 3, range)}, f});
  return all;
}

std::vector<Sample> binary_training_samples(const std::function<Variable(const Variables&)>& f,
                                            Range a, Range b) {
  std::vector<Sample> all{
      {"many", {spread({many_elements}, 1, a), spread({many_elements}, 2, b)}, f},
      {"a number for each channel", {spread({4, 16, 33, 31}, 3, a), spread({16, 1, 1}, 4, b)}, f},
      {"a row", {spread({257, 47}, 5, a), spread({47}, 6, b)}, f},
      {"a column", {spread({257, 1}, 7, a), spread({257, 33}, 8, b)}, f}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), {spread({size}, 9, a), spread({size}, 10, b)}, f});
  return all;
}

std::vector<Sample> pair_loss_samples(const PairLoss& f, Range prediction, Range target) {
  const auto with = [f](Reduction r) {
    return [f, r](const Variables& v) { return f(v[0], v[1], r); };
  };
  const auto pair = [&](const Shape& shape, std::uint64_t seed) {
    return Variables{spread(shape, seed, prediction), beside(shape, seed + 1, target)};
  };
  return {{"mean", pair({3, 4, 5}, 1), with(Reduction::mean)},
          {"sum", pair({3, 4}, 3), with(Reduction::sum)},
          {"none", pair({4, 4}, 5), with(Reduction::none)},
          {"scalars", pair({}, 7), with(Reduction::mean)},
          {"nothing", pair({0, 3}, 9), with(Reduction::sum)}};
}

std::vector<Sample> pair_loss_training_samples(const PairLoss& f, Range prediction, Range target) {
  const auto with = [f](Reduction r) {
    return [f, r](const Variables& v) { return f(v[0], v[1], r); };
  };
  const auto pair = [&](const Shape& shape, std::uint64_t seed) {
    return Variables{spread(shape, seed, prediction), beside(shape, seed + 1, target)};
  };
  std::vector<Sample> all{{"many", pair({many_elements}, 1), with(Reduction::mean)},
                          {"rows", pair({257, 97}, 3), with(Reduction::sum)}};
  for (const std::int64_t size : remainders)
    all.push_back({size_name(size), pair({33, size}, 5), with(Reduction::mean)});
  return all;
}

}  // namespace gradus::samples
