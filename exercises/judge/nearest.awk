# nearest.awk TABLE, with WORD in the environment: the name of the exercise (first word of a line) that is nearest to it,
# by how many letters must be put in, left out or replaced.

function least(a, b) { return a < b ? a : b }

function letters_apart(a, b,   i, j, m, n, row, before, kept) {
  m = length(a)
  n = length(b)
  for (j = 0; j <= n; j++) row[j] = j
  for (i = 1; i <= m; i++) {
    before = row[0]  # the number above and to the left
    row[0] = i
    for (j = 1; j <= n; j++) {
      kept = row[j]
      row[j] = least(least(row[j], row[j - 1]) + 1, before + (substr(a, i, 1) != substr(b, j, 1)))
      before = kept
    }
  }
  return row[n]
}

BEGIN { word = ENVIRON["WORD"] }
{
  apart = letters_apart(word, $1)
  if (NR == 1 || apart < fewest) {
    fewest = apart
    found = $1
  }
}
END { print found }
