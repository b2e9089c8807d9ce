// Data sets as NumPy's users keep them: arrays of images and labels, in an .npz file or as .npy files in
// a folder.
#pragma once

#include <gradus/data/dataset.h>

#include <string>

namespace gradus {

/// A data set of these arrays. Images [N,H,W], [N,C,H,W], or [N,H,W,C], which are those whose last
/// size is at most 4 and below the two before it; uint8, whole numbers 0..255 of another integer type (which become uint8),
/// or floating, float16 too (which become float32, and must be finite there). Labels [N] or [N,1], whole numbers of
/// any type; classes are the values that occur, sorted, and have names when these are not 0, 1, 2 and so on. Throws
/// BadDataError, its message opening with `name`, for what is neither, and for images without pixels.
Dataset dataset_of_arrays(const std::string& name, const Tensor& images, const Tensor& labels);

/// Reads `path`, an .npz file or a folder of .npy files, whose arrays have one of these pairs of names:
/// x_train and y_train (x_test and y_test), train_images and train_labels (test_images and test_labels),
/// images and labels, x and y, X and y. Without the pair in parentheses .test is empty. A part is called by where its
/// images are: mine/x_test.npy, or mine.npz: x_test. Throws NotFoundError, IoError, and BadDataError naming the file
/// for other names, damaged arrays, a number that is not finite, and labels in the test part that the training part
/// lacks.
DataSplit load_arrays(const std::string& path);

}  // namespace gradus
