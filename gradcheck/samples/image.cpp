// Inputs for the functions of autograd/ops/image.cpp.
#include <gradus/gradcheck/samples/inputs.h>

namespace gradus::samples {
namespace {

std::vector<Sample> unfold_samples() {
  const auto with = [](const UnfoldOptions& o) {
    return [=](const Variables& v) { return unfold(v[0], o); };
  };
  return {{"2x2", {spread({2, 3, 3, 4}, 1)}, with({.kernel_size = 2})},
          {"all sizes different",
           {spread({2, 3, 5, 4}, 2)},
           with({.kernel_size = {3, 2}, .padding = {1, 0}, .stride = {2, 1}})},
          {"all sizes equal", {spread({3, 3, 3, 3}, 3)}, with({.kernel_size = 3, .padding = 1})},
          {"dilation", {spread({1, 2, 5, 6}, 4)}, with({.kernel_size = 2, .dilation = {3, 2}})},
          {"windows in the padding alone",
           {spread({1, 1, 2, 2}, 5)},
           with({.kernel_size = 2, .padding = 3, .stride = 2})},
          {"pixels no window reaches",
           {spread({1, 1, 5, 5}, 6)},
           with({.kernel_size = 1, .stride = 3})},
          {"an image alone", {spread({2, 3, 4}, 7)}, with({.kernel_size = 2})},
          {"no images", {spread({0, 2, 3, 3}, 8)}, with({.kernel_size = 2})},
          {"conv2d as a product",
           {spread({2, 2, 4, 3}, 9), spread({3, 8}, 10)},
           [](const Variables& v) { return matmul(v[1], unfold(v[0], {.kernel_size = 2})); }}};
}

std::vector<Sample> unfold_training_samples() {
  const auto with = [](const UnfoldOptions& o) {
    return [=](const Variables& v) { return unfold(v[0], o); };
  };
  std::vector<Sample> all{
      {"3x3", {spread({4, 16, 33, 31}, 1)}, with({.kernel_size = 3, .padding = 1})},
      {"patches", {spread({8, 3, 32, 32}, 2)}, with({.kernel_size = 4, .stride = 4})}};
  for (const std::int64_t size : remainders) {
    all.push_back({size_name(size),
                   {spread({2, 3, 6, size}, 3)},
                   with({.kernel_size = {3, 2}, .padding = 1, .stride = {1, 2}})});
  }
  return all;
}

std::vector<Sample> fold_samples() {
  const auto to = [](Pair size, const UnfoldOptions& o) {
    return [=](const Variables& v) { return fold(v[0], size, o); };
  };
  return {
      {"2x2", {spread({2, 12, 6}, 1)}, to({3, 4}, {.kernel_size = 2})},
      {"all sizes different",
       {spread({2, 18, 9}, 2)},
       to({5, 4}, {.kernel_size = {3, 2}, .padding = {1, 0}, .stride = {2, 1}})},
      {"all sizes equal", {spread({9, 9, 9}, 3)}, to(3, {.kernel_size = 3, .padding = 1})},
      {"dilation", {spread({1, 8, 8}, 4)}, to({5, 6}, {.kernel_size = 2, .dilation = {3, 2}})},
      {"windows in the padding alone",
       {spread({1, 4, 16}, 5)},
       to(2, {.kernel_size = 2, .padding = 3, .stride = 2})},
      {"pixels no window reaches", {spread({1, 1, 4}, 6)}, to(5, {.kernel_size = 1, .stride = 3})},
      {"an image alone", {spread({8, 6}, 7)}, to({3, 4}, {.kernel_size = 2})},
      {"no images", {spread({0, 8, 4}, 8)}, to(3, {.kernel_size = 2})},
      {"of what was unfolded", {spread({2, 2, 3, 4}, 9)}, [](const Variables& v) {
         return fold(unfold(v[0] * v[0], {.kernel_size = 2}), {3, 4}, {.kernel_size = 2});
       }}};
}

std::vector<Sample> fold_training_samples() {
  const auto to = [](Pair size, const UnfoldOptions& o) {
    return [=](const Variables& v) { return fold(v[0], size, o); };
  };
  std::vector<Sample> all{
      {"3x3", {spread({4, 72, 1023}, 1)}, to({33, 31}, {.kernel_size = 3, .padding = 1})},
      {"patches", {spread({8, 48, 64}, 2)}, to(32, {.kernel_size = 4, .stride = 4})}};
  for (const std::int64_t size : remainders) {
    all.push_back(
        {size_name(size), {spread({2, 12, 5 * size}, 3)}, to({6, size + 1}, {.kernel_size = 2})});
  }
  return all;
}

std::vector<Sample> pad_samples() {
  const auto by = [](const std::vector<std::int64_t>& sizes,
                     PaddingMode mode = PaddingMode::constant, double value = 0) {
    return [=](const Variables& v) { return pad(v[0], sizes, mode, value); };
  };
  const std::vector<std::int64_t> sides{2, 1, 0, 3};
  return {
      {"zeros on four sides", {spread({2, 3, 4, 3}, 1)}, by(sides)},
      {"a number", {spread({3, 4}, 2)}, by({1, 2}, PaddingMode::constant, -1.5)},
      {"all dimensions of a square", {spread({3, 3}, 3)}, by({1, 2, 2, 1})},
      {"more and less", {spread({4, 5}, 4)}, by({-1, 2, 1, -2})},
      {"reflect", {spread({2, 4, 3}, 5)}, by(sides, PaddingMode::reflect)},
      {"reflect, more and less", {spread({4, 5}, 6)}, by({-1, 2, 2, -1}, PaddingMode::reflect)},
      {"replicate", {spread({2, 2, 3}, 7)}, by(sides, PaddingMode::replicate)},
      {"replicate one pixel", {spread({1, 1}, 8)}, by({2, 1, 0, 1}, PaddingMode::replicate)},
      {"circular", {spread({2, 3, 4}, 9)}, by(sides, PaddingMode::circular)},
      {"circular, more and less", {spread({4, 5}, 10)}, by({2, -1, -1, 2}, PaddingMode::circular)},
      {"nothing to do", {spread({3, 4}, 11)}, by({0, 0})},
      {"nothing", {spread({0, 3}, 12)}, by({1, 1})},
      {"used twice", {spread({3, 4}, 13)}, [](const Variables& v) {
         return pad(v[0], {1, 0}, PaddingMode::circular) * pad(v[0], {0, 1});
       }}};
}

std::vector<Sample> pad_training_samples() {
  const auto by = [](const std::vector<std::int64_t>& sizes, PaddingMode mode) {
    return [=](const Variables& v) { return pad(v[0], sizes, mode); };
  };
  std::vector<Sample> all;
  for (const PaddingMode mode :
       {PaddingMode::zeros, PaddingMode::reflect, PaddingMode::replicate, PaddingMode::circular}) {
    all.push_back({"images, " + std::string(to_string(mode)),
                   {spread({4, 16, 33, 31}, 1)},
                   by({1, 2, 3, 1}, mode)});
    for (const std::int64_t size : {3, 16, 17}) {
      all.push_back({size_name(size) + ", " + std::string(to_string(mode)),
                     {spread({2, 3, 6, size}, 2)},
                     by({2, 1, 1, 2}, mode)});
    }
  }
  return all;
}

std::vector<Sample> pixel_shuffle_samples() {
  const auto by = [](std::int64_t factor) {
    return [factor](const Variables& v) { return pixel_shuffle(v[0], factor); };
  };
  return {{"by 2", {spread({2, 8, 3, 2}, 1)}, by(2)},
          {"by 3, an image alone", {spread({9, 2, 1}, 2)}, by(3)},
          {"all sizes equal", {spread({4, 4, 4, 4}, 3)}, by(2)},
          {"by 1", {spread({3, 2, 2}, 4)}, by(1)},
          {"five dimensions", {spread({2, 1, 4, 1, 3}, 5)}, by(2)},
          {"no images", {spread({0, 4, 2, 2}, 6)}, by(2)}};
}

std::vector<Sample> pixel_shuffle_training_samples() {
  return {{"by 2",
           {spread({8, 16, 31, 33}, 1)},
           [](const Variables& v) { return pixel_shuffle(v[0], 2); }},
          {"by 3", {spread({2, 27, 17, 16}, 2)}, [](const Variables& v) {
             return pixel_shuffle(v[0], 3);
           }}};
}

std::vector<Sample> pixel_unshuffle_samples() {
  const auto by = [](std::int64_t factor) {
    return [factor](const Variables& v) { return pixel_unshuffle(v[0], factor); };
  };
  return {{"by 2", {spread({2, 3, 4, 6}, 1)}, by(2)},
          {"by 3, an image alone", {spread({2, 3, 6}, 2)}, by(3)},
          {"all sizes equal", {spread({4, 4, 4, 4}, 3)}, by(2)},
          {"by 1", {spread({3, 2, 2}, 4)}, by(1)},
          {"five dimensions", {spread({2, 1, 3, 2, 2}, 5)}, by(2)},
          {"no images", {spread({0, 1, 4, 4}, 6)}, by(2)}};
}

std::vector<Sample> pixel_unshuffle_training_samples() {
  return {{"by 2",
           {spread({8, 4, 62, 66}, 1)},
           [](const Variables& v) { return pixel_unshuffle(v[0], 2); }},
          {"by 3", {spread({2, 3, 51, 48}, 2)}, [](const Variables& v) {
             return pixel_unshuffle(v[0], 3);
           }}};
}

std::vector<Sample> interpolate_samples() {
  const auto with = [](const InterpolateOptions& o) {
    return [=](const Variables& v) { return interpolate(v[0], o); };
  };
  constexpr InterpolateMode bilinear = InterpolateMode::bilinear;
  return {
      {"nearest, twice the size", {spread({2, 2, 3, 2}, 1)}, with({.scale_factor = 2})},
      {"nearest, to a size", {spread({1, 2, 4, 5}, 2)}, with({.size = {7, 3}})},
      {"bilinear, to a size", {spread({1, 2, 3, 4}, 3)}, with({.size = {5, 3}, .mode = bilinear})},
      {"bilinear, all sizes equal",
       {spread({3, 3, 3, 3}, 4)},
       with({.scale_factor = {1.5, 2}, .mode = bilinear})},
      {"bilinear, corners aligned",
       {spread({2, 1, 3, 4}, 5)},
       with({.size = {5, 3}, .mode = bilinear, .align_corners = true})},
      {"bilinear, to one pixel",
       {spread({1, 2, 4, 3}, 6)},
       with({.size = 1, .mode = bilinear, .align_corners = true})},
      {"bilinear, from one pixel", {spread({1, 2, 1, 1}, 7)}, with({.size = 3, .mode = bilinear})},
      {"the size that it has", {spread({1, 2, 3, 4}, 8)}, with({.size = {3, 4}, .mode = bilinear})},
      {"no images", {spread({0, 2, 3, 3}, 9)}, with({.size = 4, .mode = bilinear})}};
}

std::vector<Sample> interpolate_training_samples() {
  const auto with = [](const InterpolateOptions& o) {
    return [=](const Variables& v) { return interpolate(v[0], o); };
  };
  constexpr InterpolateMode bilinear = InterpolateMode::bilinear;
  std::vector<Sample> all{
      {"nearest, twice the size", {spread({4, 16, 16, 17}, 1)}, with({.scale_factor = 2})},
      {"bilinear, twice the size",
       {spread({4, 16, 16, 17}, 2)},
       with({.scale_factor = 2, .mode = bilinear})},
      {"bilinear, smaller",
       {spread({4, 16, 33, 31}, 3)},
       with({.size = {20, 13}, .mode = bilinear})}};
  for (const std::int64_t size : remainders) {
    all.push_back({size_name(size),
                   {spread({2, 3, 6, size}, 4)},
                   with({.size = {9, size + 3}, .mode = bilinear, .align_corners = true})});
  }
  return all;
}

}  // namespace

std::vector<OpSamples> image() {
  return {
      {"unfold", unfold_samples, unfold_training_samples},
      {"fold", fold_samples, fold_training_samples},
      {"pad", pad_samples, pad_training_samples},
      {"pixel_shuffle", pixel_shuffle_samples, pixel_shuffle_training_samples},
      {"pixel_unshuffle", pixel_unshuffle_samples, pixel_unshuffle_training_samples},
      {"interpolate", interpolate_samples, interpolate_training_samples},
  };
}

}  // namespace gradus::samples
