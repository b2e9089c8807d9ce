// A data set of one's own pictures: a folder with a subfolder for each class.
//
//   flowers/rose/1.png      or     flowers/train/rose/1.png
//   flowers/tulip/2.jpg            flowers/test/rose/9.png
//
// The names of the subfolders, sorted byte by byte, are the classes. Pictures lie anywhere below them
// (.png, .jpg, .jpeg), in linked folders too, each folder once; other files and hidden ones are passed over, and so
// are, with a warning, pictures beside the folders of the classes. Every picture is read once, when the
// folder is loaded, on all threads: so a damaged one is known before an hour of training, and the pixels
// stay in memory, unless there are too many: then each is read again whenever it is asked for.
#pragma once

#include <gradus/data/dataset.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace gradus {

/// What every picture is made.
struct ImageForm {
  std::int64_t channels = 0;  ///< 1: gray, 3: RGB; 0: gray where all pictures are, else RGB
  std::int64_t height = 0;    ///< pixels; 0: as the pictures are, which must be of one size
  std::int64_t width = 0;
  bool squash = false;  ///< changes the proportions, instead of cutting off what is too long
};

/// Of load_image_folder().
struct ImageFolderOptions {
  ImageForm form{};
  bool skip_bad =
      false;  ///< leaves out pictures that cannot be read, with a warning that counts them
  std::int64_t most_bytes = std::int64_t{1} << 31;  ///< of pixels in memory
  /// Told how far reading is, every so often; on any thread, one at a time.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
};

/// Reads the folder -> uint8 [N,C,H,W], normalized by nothing. Subfolders train and test are the parts; train
/// and val (or valid, validation) alone are train and test. Without a test part .test is empty. Throws NotFoundError when there is no folder or no class
/// in it, or for a link that leads nowhere and has a picture's name or stands where the classes do; BadDataError for a
/// class without a picture, or with none that can be read, a class in test that train lacks, a damaged picture, a pipe
/// or device that has a picture's name, or pictures of several sizes without a form; always naming the folder or file.
DataSplit load_image_folder(const std::string& path, const ImageFolderOptions& options = {});

/// The names of all pictures anywhere below a folder, sorted byte by byte, of linked folders too, but none above it;
/// of links that lead nowhere and have no picture's name warns. Throws IoError where it cannot be read.
std::vector<std::string> find_images(const std::string& folder);

/// A picture in that form -> uint8 [channels,height,width]. Throws as read_image() does, BadDataError for a pipe or a
/// device, which is not opened, and ValueError where the form leaves something open.
Tensor read_image_as(const std::string& path, const ImageForm& form);

}  // namespace gradus
