// Files that a subcommand writes at its end.
#pragma once

#include <string>
#include <string_view>

namespace gradus::app {

/// Known before work that takes a while: can `file`, the value of `option`, be written? Leaves
/// nothing behind. Throws UsageError naming both.
void expect_writable(std::string_view option, const std::string& file);

/// The same of a picture to be drawn of the data in `data`: it is named .png, and lies not among these. Throws
/// UsageError.
void expect_picture(std::string_view option, const std::string& file, const std::string& data);

/// Why no file can be made in `folder`; empty where one can.
std::string why_not_writable(const std::string& folder);

}  // namespace gradus::app
