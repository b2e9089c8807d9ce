// Exercise find-the-bug: a backward pass in which one line is wrong.
//
// ./run exercise find-the-bug --seed 7 shows a formula, the lines of its backward pass, and what each line gives beside
// the slopes that were measured. Say which line is wrong, and how: one of
//   mean_for_sum      a mean where a sum belongs      sum_dropped       only the first of what is to be summed counts
//   sign_flipped      times -1                        slice_dropped     0 for the first or last index of the first axis
//   zeroed            0 everywhere                    element_zeroed    0 in one element
//   transposed        two axes exchanged              border_dropped    0 along the border of the last two axes
//   flipped           axes run backwards              negative_dropped  0 where the input is negative
//   shifted           off by one along the last axis  diagonal_kept     what an element does to others is missing
//   use_dropped       the last use does not count     mean_dropped      off by one number along the last axis
//   use_overwritten   the first use does not count    incoming_ignored  the same whatever dy is
//   stale_accumulation  the gradient of the pass before is added
// Every seed has a mistake of its own; `switch (seed)` keeps your answers.
#include "judge/bug_answer.h"
#include "judge/judges.h"

using namespace gradus;

BugAnswer my_answer(std::uint64_t seed) {
  return {.line = 0, .kind = Bug::zeroed};  // in its place: what you found
}

/// What the judge calls.
Judgement judged(std::uint64_t seed) { return judge_find_the_bug(my_answer, seed); }
