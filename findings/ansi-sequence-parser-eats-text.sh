#!/usr/bin/env bash
# ansi-sequence-parser 1.1.3 takes everything from an escape sequence to the next letter "m" for a color, whatever the
# sequence is. After one that erases a line or moves the cursor, as every progress bar writes, the text up to that letter
# is lost: of a trainer's output, the very values. Where no "m" follows, the sequence itself stays in the text. After a
# sequence that sets a title or begins a link, all colors of the text stay in it as sequences.
# A good guess is that a parser of terminal output skips sequences that it does not know, and keeps the text.
# It is the library that pages color terminal output with; anser and strip-ansi keep the text.
#
# Seen with Node.js 20 on Linux; the output of this script:
#   "\x1b[Kloss nan, grad norm 9" becomes " 9"
#   "\x1b[2Aloss 2.5, mfu 0.4" becomes "fu 0.4"
#   "\x1b]0;train\x07loss nan, \x1b[31merror" becomes "\x1b]0;train\x07loss nan, \x1b[31merror"
#   "\x1b[Kloss nan" becomes "\x1b[Kloss nan"
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --no-package-lock ansi-sequence-parser@1.1.3
cat >read.mjs <<'JS'
import { parseAnsiSequences } from 'ansi-sequence-parser';

const outputs = [
  '\x1b[Kloss nan, grad norm 9',
  '\x1b[2Aloss 2.5, mfu 0.4',
  '\x1b]0;train\x07loss nan, \x1b[31merror',
  '\x1b[Kloss nan',
];
const quoted = (text) => JSON.stringify(text).replaceAll('\\u00', '\\x');
for (const output of outputs) {
  const text = parseAnsiSequences(output).map(({ value }) => value).join('');
  console.log(`${quoted(output)} becomes ${quoted(text)}`);
}
JS
node read.mjs | tee seen
sed -n 's/^#   \(.* becomes .*\)$/\1/p' "$script" >expected
diff expected seen
