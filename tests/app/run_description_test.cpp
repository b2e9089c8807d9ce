// The command that repeats a training: it has every setting that counts.
#include <doctest/doctest.h>

#include <app/run_description.h>

#include <string>

#include <support/error_message.h>

using namespace gradus;

TEST_CASE("the command that repeats a training has what its data and its batches were cut by") {
  app::Settings settings;
  settings.data.name = "/pictures";
  const std::string plain = app::command_of(settings);
  for (const char* option : {"--image-size", "--squash", "--channels", "--skip-bad",
                             "--label-column", "--data-dir", "--shards"})
    CHECK(!contains(plain, option));
  settings.data.form = {.channels = 1, .height = 8, .width = 12, .squash = true};
  settings.data.skip_bad = true;
  settings.data.label_column = "its label";
  settings.data.data_dir = "/elsewhere";
  settings.shards = 4;
  const std::string command = app::command_of(settings);
  for (const char* option :
       {" --image-size 12x8", " --squash", " --channels 1", " --skip-bad",
        " --label-column 'its label'", " --data-dir /elsewhere", " --shards 4"}) {
    CAPTURE(option);
    CHECK(contains(command, option));
  }
}
