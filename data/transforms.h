// Transforms: changes at random to a batch of images, so that no epoch shows the same pictures twice.
//
//   const Transform augment = compose({random_crop({.padding = 4}), random_horizontal_flip()});
//   const Transform same = parse_transforms("crop=4,flip");
//
// Names and meaning are torchvision's, whose order holds too: pixels are 0..1 here, and are normalized
// afterwards. What always holds of every transform made here:
//   - it takes float32 [B,C,H,W] and gives a new float32 [B,C,H',W'], with B or H and W possibly 0; it
//     throws ShapeError or DTypeError for anything else, and never writes to what it was given;
//   - each image draws its own random numbers, the first image first, and how many does not hang on the
//     pixels: seed and position of the generator decide every bit. It runs on the thread that calls it
//     and takes no others, which train meanwhile;
//   - angles, aspect ratios and Beta numbers go through the C library's sin, exp and log: these may
//     differ in a last bit from machine to machine, where all else does not;
//   - it holds options only, so that several threads may call it at once, each with its generator.
#pragma once

#include <gradus/core/conv.h>
#include <gradus/core/random.h>
#include <gradus/core/tensor.h>
#include <gradus/data/loader.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gradus {

/// From where to where a number is drawn, alike everywhere; equal ends leave nothing to chance.
struct Interval {
  double low = 0;
  double high = 0;
};

/// One after the other; an empty list gives the very tensor it got. Throws ValueError for one without a function.
Transform compose(std::vector<Transform> transforms);

/// `padding` pixels of value `fill` more on each side: [B,C,H,W] -> [B,C,H+2·padding,W+2·padding].
/// Draws nothing. Throws ValueError unless 0 <= padding <= 65536.
Transform pad(std::int64_t padding, double fill = 0);

/// Options of random_crop().
struct RandomCropOptions {
  Pair size = 0;             ///< of what is cut out; 0: as the image is, before it is padded
  std::int64_t padding = 0;  ///< pixels put around the image before
  double fill = 0;           ///< their value
};
/// A window of `size` anywhere in the padded image, each place as likely. Throws ValueError unless size and
/// padding are 0..65536; the transform throws ShapeError where the window is larger than the padded image.
Transform random_crop(const RandomCropOptions& options);

/// Options of random_resized_crop().
struct RandomResizedCropOptions {
  Pair size = 0;            ///< of the result; 0: as the image is
  Interval scale{0.08, 1};  ///< share of the image's area that is cut out
  /// Width over height of what is cut out; uniform in the logarithm.
  Interval ratio{3.0 / 4.0, 4.0 / 3.0};
};
/// A window of random area and shape, stretched to `size`: C. Szegedy et al., "Going deeper with
/// convolutions", CVPR 2015. Where ten draws give no window that fits, the largest of a permitted shape in
/// the middle. Between pixels bilinear, as interpolate() does it, without a filter before.
/// Throws ValueError unless 0 <= size <= 65536, 0 <= scale <= 1, 0.001 <= ratio <= 1000; the transform throws
/// ShapeError for images without pixels.
Transform random_resized_crop(const RandomResizedCropOptions& options);

/// Swaps left and right with probability `p`. Throws ValueError unless 0 <= p <= 1.
Transform random_horizontal_flip(double p = 0.5);
/// Swaps top and bottom with probability `p`. Throws ValueError unless 0 <= p <= 1.
Transform random_vertical_flip(double p = 0.5);

/// Turns about the centre by an angle from -degrees to degrees, counter-clockwise. Pixels are taken
/// bilinearly; beyond the image there is 0. Throws ValueError unless 0 <= degrees <= 360.
Transform random_rotation(double degrees);
/// The same with an angle from low to high. Throws ValueError unless -360 <= low <= high <= 360.
Transform random_rotation(Interval degrees);

/// Options of random_affine().
struct RandomAffineOptions {
  Interval degrees{};  ///< counter-clockwise; torchvision's affine counts the other way
  std::array<double, 2> translate{0, 0};  ///< largest move, as a share of width and of height
  Interval scale{1, 1};                   ///< above 1 enlarges
  Interval shear{};                       ///< degrees, along x
  Interval shear_y{};                     ///< degrees, along y
};
/// Turns, enlarges, shears and moves. A point p of the image, x to the right and y down, goes to
///   T·C·R·S·SHy·SHx·C⁻¹·p:  C moves the origin to the centre, T moves by whole pixels, S enlarges,
///   R = [cos a, sin a; -sin a, cos a],  SHy = [1, 0; -tan(shear_y), 1],  SHx = [1, -tan(shear); 0, 1],
/// torchvision's matrix but for the direction of a. Each pixel of the result is taken from where it came
/// from, bilinearly; beyond the image there is 0. Throws ValueError unless -360 <= degrees <= 360,
/// 0 <= translate <= 1, 0.001 <= scale <= 1000, -89 <= shear <= 89, and no low is above its high.
Transform random_affine(const RandomAffineOptions& options);

/// Options of color_jitter(): a factor is drawn from 1 - x to 1 + x, but not below 0; the turn of the hue
/// from -hue to hue.
struct ColorJitterOptions {
  double brightness = 0;
  double contrast = 0;
  double saturation = 0;
  double hue = 0;  ///< 0.5 is half a turn of the colour circle
};
/// Changes the colours, in a random order of the four. With f the factor and Y the luma
/// 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601):
///   brightness  f·x                         contrast  f·x + (1-f)·(mean of Y over the image)
///   saturation  f·x + (1-f)·Y of the pixel  hue       turned in HSV, value and saturation kept
/// each cut to 0..1 at once. A gray image (C = 1) is its own Y, and has no saturation and no hue to change.
/// An option that is 0 changes nothing, and cuts nothing. Throws ValueError unless each is 0..1000, hue 0..0.5;
/// the transform throws ShapeError unless C is 1 or 3.
Transform color_jitter(const ColorJitterOptions& options);

/// Options of random_erasing().
struct RandomErasingOptions {
  double p = 0.5;              ///< how likely an image loses a rectangle
  Interval scale{0.02, 0.33};  ///< its share of the image's area
  Interval ratio{0.3, 3.3};    ///< its height over its width; uniform in the logarithm
  double value = 0;  ///< of its pixels, before normalization: the data's mean becomes 0 behind it
};
/// Writes `value` over a rectangle: Z. Zhong et al., "Random erasing data augmentation", AAAI 2020. The
/// rectangle is smaller than the image on both axes; where ten draws give none, the image stays as it is.
/// Throws ValueError unless 0 <= p <= 1, 0 <= scale <= 1, 0.001 <= ratio <= 1000.
Transform random_erasing(const RandomErasingOptions& options = {});

/// What mixup() makes of a batch.
struct MixedBatch {
  Tensor images;  ///< float32 [B,C,H,W]
  Tensor
      targets;  ///< float32 [B,classes], a distribution in each row: for cross_entropy of probabilities
};
/// Mixes each image with a partner: λ·x + (1-λ)·x', and the labels alike. One λ ~ Beta(alpha, alpha) for the
/// batch, drawn first, and partners by a random order of the batch: H. Zhang et al., "mixup: Beyond empirical
/// risk minimization", ICLR 2018. alpha = 0 mixes nothing: λ = 1. `images` may be normalized before, as
/// mixing commutes with that; `labels` is int64 [B].
/// Throws ShapeError or DTypeError for tensors that do not fit, ValueError for alpha negative or not finite,
/// classes below 1, and a label outside 0..classes-1.
MixedBatch mixup(const Tensor& images, const Tensor& labels, std::int64_t classes, double alpha,
                 Generator& generator);

/// A chain of transforms from a text such as "crop=4,flip,jitter=0.2": name[=number] between commas, applied
/// in that order. The number, and what it is when left out:
///   pad      pixels on each side, 0..65536                                              2
///   crop     pixels of padding before a window of the image's own size is cut, 0..65536 4
///   resized  side of the square that a random_resized_crop gives, 1..65536              the image's size
///   flip     probability of a horizontal flip                                           0.5
///   vflip    probability of a vertical flip                                             0.5
///   rotate   largest angle either way, in degrees                                       10
///   affine   the same, with moves up to a tenth and scales 0.9..1.1                     10
///   jitter   brightness, contrast and saturation; a quarter of it, at most 0.5, is hue  0.2
///   erase    probability of random_erasing, with its other defaults                     0.5
/// Throws ValueError for an empty text or entry, for a name that is not among these, listing them and naming
/// the one that was meant, for a number that is none, and what the function behind a name throws.
Transform parse_transforms(std::string_view text);
/// The names that parse_transforms() knows, in the order above.
const std::vector<std::string>& transform_names();

namespace detail {
/// The longest padding, and the longest side of a result that options ask for.
inline constexpr double most_pixels = 65536;
/// `images`, contiguous. Throws unless they are float32 [B,C,H,W]; the message begins with `name`.
Tensor checked_images(std::string_view name, const Tensor& images);
/// Throws ValueError unless low <= number <= high; the message begins with `name` and `option`.
void check_number(std::string_view name, std::string_view option, double number, double low,
                  double high);
/// The same for both ends, and where they are the wrong way round.
void check_interval(std::string_view name, std::string_view option, Interval interval, double low,
                    double high);
/// Uniform in the interval. Draws one number, whatever the ends.
double draw(Interval interval, Generator& generator);
}  // namespace detail

}  // namespace gradus
