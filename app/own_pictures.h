// Pictures that somebody gives to a trained net, read as the net takes them.
#pragma once

#include <gradus/data/dataset.h>
#include <gradus/data/image_folder.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "records.h"

namespace gradus::app {

/// The files that are asked for, folders replaced by the pictures in them. Throws NotFoundError for a folder
/// without any.
std::vector<std::string> picture_files(const std::vector<std::string>& names);

/// How the net of `run` takes pictures. Throws UsageError where it takes none.
ImageForm picture_form(const RunRecord& run);

/// Pictures that were read, with their files.
struct ReadPictures {
  std::vector<std::string> files;
  Tensor images;  ///< uint8 [N,C,H,W]; undefined where there are none
};

/// Counts what is left out.
struct LeftOut {
  std::size_t count = 0;
  std::string first;
};

/// Reads the files on all threads. Throws IoError for the first that cannot be read, unless they are to be
/// skipped.
ReadPictures read_pictures(std::span<const std::string> files, const ImageForm& form, bool skip_bad,
                           LeftOut& left_out);

/// To be normalized as the training's images were; all labels are 0, for want of better ones.
Dataset as_dataset(const ReadPictures& pictures, const RunRecord& run);

}  // namespace gradus::app
