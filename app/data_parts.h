// The data of a training: found by name, folder or file, and cut into what it trains with, chooses by
// and tests with.
#pragma once

#include <gradus/data/dataset.h>

#include <string>

#include "records.h"

namespace gradus::app {

struct DataParts {
  Dataset train;
  Dataset validation;  ///< empty unless settings.validation is above 0
  Dataset test;
  std::string checksum{};  ///< of all
  Pixels pixels{};
};

/// A name stays, a path becomes absolute. Throws NotFoundError for what is neither, with the nearest name, and
/// for a path that leads nowhere.
std::string resolve_data_name(const std::string& name);

/// Data that were used before: by another name where one is given, in another folder where one is given, and
/// else where they were, if that is still there.
void look_for_data(DataSettings& data, const std::string& name, const std::string& data_dir);

/// Is this one of the data sets that have a name?
bool is_named(const DataSettings& data);

/// "digits", or the last part of the path without extension: for messages and folder names.
std::string short_name(const DataSettings& data);

/// Reads and cuts. Data of one's own are normalized as measured over their training part; numbers of 0..255
/// that are not whole count as bytes do. Throws BadDataError for parts on two scales, such as bytes and 0..1. What
/// takes a while shows progress on stderr unless `quiet`.
DataParts load_parts(const DataSettings& data, bool quiet);

/// Throws BadDataError, its message opening with `label`, unless data of this checksum are those that were trained with.
void expect_same_data(const std::string& label, const std::string& name,
                      const std::string& checksum, const std::string& then);
/// A checksum is of numbers alone. Throws BadDataError likewise where images are of another form than those of `then`, or
/// classes have other names.
void expect_same_form(const std::string& label, const RunRecord& then, const ImageSpec& image,
                      const std::vector<std::string>& class_names);
/// The data that `run` was trained with, looked for in `data_dir` where that is given. Throws BadDataError likewise.
DataParts load_same_data(const RunRecord& run, const std::string& data_dir,
                         const std::string& label, bool quiet);

/// What a trained model is tested with.
struct TestData {
  Dataset test;
  std::string checksum;  ///< of the whole data set
};

/// The test part of `data` as the model of `run` knows its classes, pixels and normalization; all of it where
/// they are others than those of the training and have no test part. Throws BadDataError, its message
/// opening with `label`, for classes and numbers that the model does not know.
TestData load_test_data(const DataSettings& data, const RunRecord& run, bool others,
                        const std::string& label, bool quiet);

ImageSpec image_spec(const Dataset& data);

}  // namespace gradus::app
