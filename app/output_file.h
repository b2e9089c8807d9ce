// Files that a subcommand writes at its end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gradus::app {

/// A file, or a folder of such, that a command reads, and what it is: "the net".
struct ReadFile {
  std::string path;
  std::string what;
};

/// Known before work that takes a while: can `file`, the value of `option`, be written, and is nothing lost by it? It is no
/// file of a training, none of `read` or of the data in a folder there, and none of `written`, which the same command
/// writes; whatever paths and links lead to them. Leaves nothing behind. Throws UsageError naming both.
void expect_writable(std::string_view option, const std::string& file,
                     const std::vector<ReadFile>& read = {},
                     const std::vector<std::string>& written = {});

/// The same of a picture to be drawn of the data in `data`: it is named .png, and lies not among these. Throws
/// UsageError.
void expect_picture(std::string_view option, const std::string& file, const std::string& data);

/// Do both lead to one file, as "y.npy", "./y.npy" and a link? Also where it is not there yet.
bool is_same_file(const std::string& a, const std::string& b);

/// Why no file can be made in `folder`; empty where one can.
std::string why_not_writable(const std::string& folder);

}  // namespace gradus::app
