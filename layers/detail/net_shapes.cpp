// Layers that move numbers without changing them, and layers of layers.
#include <gradus/core/detail/conv_checks.h>
#include <gradus/layers/detail/layer_text.h>
#include <gradus/layers/image.h>
#include <gradus/layers/residual.h>
#include <gradus/layers/shape.h>

#include <algorithm>
#include <cmath>

namespace gradus::detail {
namespace {

// ---- Layers that move numbers ---------------------------------------------------------------------

MadeLayer make_flatten(LayerText& t) {
  const int start = t.image_dim("start_dim", 1);
  const int end = t.image_dim("end_dim", -1);
  if (end < start) t.refuse_input("start_dim ", start + 1, " must not be behind end_dim ", end + 1);
  Shape flat;
  for (int d = 0; d < t.shape.rank(); ++d) {
    if (d <= start || d > end) {
      flat.push_back(t.shape[d]);
    } else {
      flat[start] *= t.shape[d];
    }
  }
  t.shape = flat;
  return std::make_unique<Flatten>(start + 1, t.has("end_dim") ? end + 1 : -1);
}

/// Sides that interpolate() makes of `pixels`: rounded down.
std::int64_t scaled_side(const LayerText& t, std::int64_t pixels, double factor) {
  const double size = std::floor(static_cast<double>(pixels) * factor);
  if (!(size >= 1 && size <= static_cast<double>(checks::largest)))
    t.refuse_input("scale_factor ", factor, " makes ", size, " pixels of ", pixels);
  return static_cast<std::int64_t>(size);
}

MadeLayer make_upsample(LayerText& t) {
  t.expect_image();
  const bool bilinear = t.word("mode", {"nearest", "bilinear"}) == 1;
  InterpolateOptions o{.size = t.pair("size", 1, 0),
                       .scale_factor = t.scale(),
                       .mode = bilinear ? InterpolateMode::bilinear : InterpolateMode::nearest};
  if (t.has("align_corners")) o.align_corners = t.flag("align_corners", false);
  auto layer = std::make_unique<Upsample>(o);
  const Scale scale = o.scale_factor;
  const Pair size = t.has("size") ? o.size
                                  : Pair{scaled_side(t, t.shape[1], scale.height),
                                         scaled_side(t, t.shape[2], scale.width)};
  t.shape = {t.shape[0], size.height, size.width};
  return layer;
}

MadeLayer make_pixel_shuffle(LayerText& t) {
  t.expect_image();
  const std::int64_t r = t.whole("upscale_factor", 1);
  if (t.shape[0] % (r * r) != 0) {
    t.refuse_input(t.shape[0], " channels do not divide into the pixels of ", extent_of(r, r));
  }
  t.shape = {t.shape[0] / (r * r), t.shape[1] * r, t.shape[2] * r};
  return std::make_unique<PixelShuffle>(r);
}

MadeLayer make_pixel_unshuffle(LayerText& t) {
  t.expect_image();
  const std::int64_t r = t.whole("downscale_factor", 1);
  if (t.shape[1] % r != 0 || t.shape[2] % r != 0) {
    t.refuse_input(extent_of(t.shape[1], t.shape[2]), " pixels do not divide into squares of ",
                   extent_of(r, r));
  }
  t.shape = {t.shape[0] * r * r, t.shape[1] / r, t.shape[2] / r};
  return std::make_unique<PixelUnshuffle>(r);
}

MadeLayer make_zero_pad2d(LayerText& t) {
  t.expect_image();
  std::vector<std::int64_t> sides;
  if (t.is_list("padding")) {
    sides = t.list("padding", -checks::largest);
    if (sides.size() != 4)
      t.refuse("padding must be one number or [left,right,top,bottom], got ", sides.size(),
               " numbers");
  } else {
    sides.assign(4, t.whole("padding", -checks::largest));
  }
  // A side that takes away must find its pixels in the image, not in what the other one adds.
  const auto less = [&](std::size_t a, std::size_t b) {
    return std::min<std::int64_t>(sides[a], 0) + std::min<std::int64_t>(sides[b], 0);
  };
  if (t.shape[1] + less(2, 3) < 1 || t.shape[2] + less(0, 1) < 1) {
    t.refuse_input("padding [", sides[0], ",", sides[1], ",", sides[2], ",", sides[3],
                   "] takes away all pixels");
  }
  t.shape = {t.shape[0], t.shape[1] + sides[2] + sides[3], t.shape[2] + sides[0] + sides[1]};
  return std::make_unique<ZeroPad2d>(sides[0], sides[1], sides[2], sides[3]);
}

// ---- Layers of layers -----------------------------------------------------------------------------

MadeLayer make_sequential(LayerText& t) {
  return std::make_unique<Sequential>(t.layers("layers", t.shape));
}

MadeLayer make_residual_of(LayerText& t) {
  Shape through = t.shape;
  Shape around = t.shape;
  auto body = std::make_unique<Sequential>(t.layers("body", through));
  std::unique_ptr<Sequential> shortcut;
  if (t.has("shortcut")) {
    shortcut = std::make_unique<Sequential>(t.layers("shortcut", around));
  }
  if (through != around) {
    t.refuse_input("the body gives ", through, ", the way around it ", around);
  }
  const bool relu = t.word("activation", {"none", "relu"}) == 1;
  t.shape = through;
  return std::make_unique<Residual>(std::move(body), std::move(shortcut),
                                    relu ? Activation::relu : Activation::none);
}

}  // namespace

std::vector<LayerKind> shape_kinds() {
  return {
      {"Flatten", make_flatten, {"start_dim", "end_dim"}},
      {"PixelShuffle", make_pixel_shuffle, {"upscale_factor"}},
      {"PixelUnshuffle", make_pixel_unshuffle, {"downscale_factor"}},
      {"Residual", make_residual_of, {"body", "shortcut", "activation"}},
      {"Sequential", make_sequential, {"layers"}},
      {"Upsample", make_upsample, {"scale_factor", "size", "mode", "align_corners"}},
      {"ZeroPad2d", make_zero_pad2d, {"padding"}},
  };
}

}  // namespace gradus::detail
