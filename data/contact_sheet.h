// Pictures of many things at once, to look at: images in a grid with a line of text below each, and the
// counts of a confusion matrix as a heat map. Both come as a tensor that any writer of PNG takes.
//
// Text is drawn in a small font of Gradus's own, 5x7 dots a letter and two below for what hangs, so that a
// picture is the same bytes on every machine. It has the printable characters of ASCII; each other character
// is a box.
#pragma once

#include <gradus/core/tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace gradus {

/// How contact_sheet() lays out its images. Lengths are in pixels.
struct ContactSheetOptions {
  std::int64_t columns = 0;  ///< images in a row; 0: as many as there are rows, or one more
  std::int64_t cell = 112;   ///< the square that each image has, 8..4096
  std::int64_t gap = 12;     ///< around each square, 2..256
  std::int64_t dot = 1;      ///< of the font; a letter with its space is 6 wide, 1..16
};

/// A grid of images on white, row by row, uint8 [3,H,W], with the caption of each below it.
///
/// `images` are uint8 [C,H,W], C 1 (grey) or 3 (RGB), of any sizes. Each stands in the middle of its square:
/// a small one is enlarged by the largest whole factor that fits, its pixels as squares; one that is larger
/// than the square is reduced to it, each pixel the mean of those that it covers. `captions` are as many as
/// images, or none; of each as much is drawn as fits below the square.
///
/// The square of image i begins at x = gap + (i % columns)·(cell + gap), and likewise downwards, where a
/// caption takes 12 dots more.
///
/// Throws ValueError without images, where captions are not as many, for an option out of its range or a
/// picture of more than 2^28 pixels; ShapeError or DTypeError, naming the image, for one of another kind.
Tensor contact_sheet(const std::vector<Tensor>& images, const std::vector<std::string>& captions,
                     const ContactSheetOptions& options = {});

/// A confusion matrix as a heat map with its numbers, uint8 [3,H,W].
///
/// `counts` is int64 [K,K], K 1..512: rows are the true classes, columns the predicted ones. `names` are K,
/// or none for 0, 1, ...; 14 characters of each are drawn. What is right is blue, the darker the larger its
/// share of the row; what is wrong is red, the darker the larger the square root of its share, so that rare
/// mistakes show too. A zero is left white.
///
/// Throws ShapeError, DTypeError or ValueError for other counts, negative ones too, or another number of names.
Tensor confusion_picture(const Tensor& counts, const std::vector<std::string>& names = {});

}  // namespace gradus
