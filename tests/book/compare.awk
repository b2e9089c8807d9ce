# awk -f compare.awk PAGE PRINTED: did each fence of the chapter print what the page says? PRINTED has the output of each
# behind its line, "---- line 31". A ```text fence is compared in every word and number; of a number with decimals the last
# digit may be another by one, as sums are rounded otherwise on other CPUs. In a ```console fence, which shows what
# depends on the machine, numbers are compared with none. What statements print must be there; what commands print may be left
# out.
function complain(line, what) { print page ":" line ": " what; failed = 1 }

# Cuts `line` into what is a number and what is not: words[1], numbers[1], words[2], ...
function cut(line, words, numbers,    n) {
  n = 0
  while (match(line, /[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/)) {
    words[++n] = substr(line, 1, RSTART - 1)
    numbers[n] = substr(line, RSTART, RLENGTH)
    line = substr(line, RSTART + RLENGTH)
  }
  words[n + 1] = line
  return n
}

# How much the last digit of a number is worth; 0 for a whole one.
function last_digit(number,    parts, n, exponent, point) {
  n = split(number, parts, "e")
  exponent = n > 1 ? parts[2] + 0 : 0
  point = index(parts[1], ".")
  if (point == 0 && n == 1) return 0
  return 10 ^ (exponent - (point == 0 ? 0 : length(parts[1]) - point))
}

function same_number(a, b,    digit, difference) {
  if (a == b) return 1
  digit = last_digit(a)
  if (digit == 0 || digit != last_digit(b)) return 0
  difference = a - b
  return difference <= 1.01 * digit && -difference <= 1.01 * digit
}

function same_line(a, b, masked,    n, i, m) {
  if (a == b) return 1
  split("", words_a); split("", words_b); split("", numbers_a); split("", numbers_b)
  n = cut(a, words_a, numbers_a)
  m = cut(b, words_b, numbers_b)
  if (n != m) return 0
  for (i = 1; i <= n + 1; i++) {
    if (masked) { gsub(/ +/, " ", words_a[i]); gsub(/ +/, " ", words_b[i]) }
    if (words_a[i] != words_b[i]) return 0
    if (i <= n && !masked && !same_number(numbers_a[i], numbers_b[i])) return 0
  }
  return 1
}

function compare(line,    wanted, got, n, m, i) {
  n = split(expected[line], wanted, "\n")
  m = split(printed[line], got, "\n")
  for (i = 1; i < n || i < m; i++) {
    if (i < n && i < m && same_line(wanted[i], got[i], mode[line] == "console")) continue
    if (i >= n) complain(line, "this fence prints more than the page says: " got[i])
    else complain(at[line] + i - 1, "the page says: " wanted[i] "\n  it prints: " (i < m ? got[i] : "nothing more"))
    return
  }
}

FNR == 1 { file++ }
file == 1 && FNR == 1 { page = FILENAME }
file == 1 && !kind && /^```(cpp|sh)[ \t]*$/ { kind = "source"; shell = /^```sh/; first = FNR + 1; next }
file == 1 && !kind && /^```(text|console)[ \t]*$/ {
  kind = substr($1, 4)
  if (!source) complain(FNR, "an output, and nothing above it that prints it")
  else if (source in at) complain(FNR, "a second output of the fence above")
  at[source] = FNR + 1
  mode[source] = kind
  next
}
file == 1 && !kind && /^```/ { kind = "other"; next }
file == 1 && kind && /^```[ \t]*$/ { kind = ""; next }
file == 1 && kind == "source" && FNR == first {
  if (/^\/\/ file: /) kind = "other"
  else { source = FNR; sources[++count] = FNR; command[FNR] = shell }
}
file == 1 && (kind == "text" || kind == "console") { expected[source] = expected[source] $0 "\n" }
file == 2 && /^---- line [0-9]+$/ { current = $3; seen[current] = 1; next }
file == 2 { printed[current] = printed[current] $0 "\n" }

END {
  for (i = 1; i <= count; i++) {
    if (!(sources[i] in seen)) complain(sources[i], "this fence never ran")
    else if (!command[sources[i]] || sources[i] in at) compare(sources[i])
  }
  if (count == 0) complain(1, "a chapter without a fence")
  exit failed
}
