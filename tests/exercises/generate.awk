# generate.awk -v source=DIR -v group=G -v groups=N TABLE: writes C++ with every exercise of the group (each N-th line of
# the table, from the G-th): the skeleton as given, the key, and the key with each of its mistakes, in namespaces of their
# own, and at the end the list of them. A mistake is a few lines of tests/exercises/mistakes/NAME.txt:
#   mistake: what was done                 says: what the judge must print
#   - text that is in the key exactly once
#   + what stands in its place             (several lines of - and + are one text; several such pairs are allowed)

function die(message) {
  print "generate.awk: " message > "/dev/stderr"
  failed = 1
  exit 1
}

function text_of(path,   line, text, status) {
  text = ""
  while ((status = (getline line < path)) > 0) if (line !~ /^#include/) text = text line "\n"
  if (status < 0) die("cannot read " path)
  close(path)
  return text
}

function quoted(text) {
  gsub(/\\/, "\\\\", text)
  gsub(/"/, "\\\"", text)
  return "\"" text "\""
}

function add(space, text, exercise, what, says, origin) {
  print "namespace " space " {"
  print "#line 1 " quoted(origin)
  printf "%s", text
  print "}  // namespace " space
  list = list "      {" quoted(exercise) ", " quoted(what) ", " space "::judged, " quoted(says) "},\n"
}

function replaced(text, old, new, where,   at, behind) {
  at = index(text, old)
  if (at == 0) die(where ": not in the key: " old)
  behind = substr(text, at + length(old))
  if (index(behind, old) > 0) die(where ": more than once in the key: " old)
  return substr(text, 1, at - 1) new behind
}

# The pair that was read so far goes into the text.
function apply_pair(where) {
  if (has_old) variant = replaced(variant, old, new, where)
  old = new = ""
  has_old = has_new = 0
}

function finish_mistake(where) {
  apply_pair(where)
  if (what == "") return
  if (says == "") die(where ": '" what "' does not tell what the judge says")
  if (variant == key) die(where ": '" what "' changes nothing")
  add("mistake_" id "_" ++count, variant, $1, what, says, where)
}

function add_mistakes(path,   line, status) {
  what = ""
  count = 0
  while ((status = (getline line < path)) > 0) {
    if (line ~ /^mistake: /) {
      finish_mistake(path)
      what = substr(line, 10)
      says = ""
      variant = key
    } else if (line ~ /^says: /) {
      says = substr(line, 7)
    } else if (line ~ /^- /) {
      if (has_new) apply_pair(path)
      old = has_old ? old "\n" substr(line, 3) : substr(line, 3)
      has_old = 1
    } else if (line ~ /^\+/) {
      new = has_new ? new "\n" substr(line, 3) : substr(line, 3)
      has_new = 1
    } else if (line != "") {
      die(path ": what is this? " line)
    }
  }
  if (status < 0) die("cannot read " path)
  close(path)
  finish_mistake(path)
}

BEGIN {
  print "// Made by generate.awk from the skeletons, the keys and the mistakes."
  print "#include <gradus/core/create.h>\n\n#include \"exercises/judge/bug_answer.h\""
  print "#include \"exercises/judge/judges.h\"\n#include \"exercises/cases.h\"\n"
}

NR % groups == group % groups {
  id = $1
  gsub(/-/, "_", id)
  add("skeleton_" id, text_of(source "/exercises/" $1 ".cpp"), $1, "as given", "", source "/exercises/" $1 ".cpp")
  key = text_of(source "/tests/exercises/key/" $1 ".cpp")
  add("key_" id, key, $1, "key", "", source "/tests/exercises/key/" $1 ".cpp")
  add_mistakes(source "/tests/exercises/mistakes/" $1 ".txt")
}

END {
  if (failed) exit 1
  print "std::vector<ExerciseCase> exercise_cases_" group "() {\n  return {\n" list "  };\n}"
}
