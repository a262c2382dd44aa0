// Two answers side by side: what a replay says that the original did not, and the other way round.

// Beyond this many comparisons of lines, the differing middle is shown as replaced.
const PATIENCE = 4_000_000;
const AROUND = 3;

/** Lines of both texts in order, each marked " " (in both), "-" (in `before` alone) or "+" (in `after` alone). */
export function compare(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const same = (lines) => lines.map((text) => [" ", text]);
  return [
    ...same(a.slice(0, start)),
    ...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)),
    ...same(a.slice(a.length - end)),
  ];
}

function middle(a, b) {
  if (a.length * b.length > PATIENCE) return [...a.map((text) => ["-", text]), ...b.map((text) => ["+", text])];
  // common[i][j]: the longest common subsequence of what follows a[i] and b[j].
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      common[i * width + j] = a[i] === b[j]
        ? common[(i + 1) * width + j + 1] + 1
        : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([" ", a[i]]);
      i += 1;
      j += 1;
    } else if (j === b.length || (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      lines.push(["-", a[i]]);
      i += 1;
    } else {
      lines.push(["+", b[j]]);
      j += 1;
    }
  }
  return lines;
}

/** The same with long stretches of equal lines left out, marked "…" with how many they are. */
export function folded(lines) {
  const near = new Uint8Array(lines.length);
  lines.forEach(([mark], index) => {
    if (mark !== " ") near.fill(1, Math.max(0, index - AROUND), index + AROUND + 1);
  });
  const shown = [];
  for (let index = 0; index < lines.length; ) {
    let next = index;
    while (next < lines.length && !near[next]) next += 1;
    if (next > index) shown.push(["…", `${next - index} equal lines`]);
    for (; next < lines.length && near[next]; next += 1) shown.push(lines[next]);
    index = next;
  }
  return shown;
}
