/** One system call that has ended, with the lines of the trace at which it began and ended. */
export interface Call {
  readonly name: string;
  /** As strace prints them, descriptors with what they are open on. */
  readonly args: string;
  readonly result: string;
  readonly began: number;
  readonly ended: number;
}

const WHOLE = /^(\d+) +(\w+)\((.*)\) += (.*)$/s;
const BEGUN = /^(\d+) +\w+\((.*) <unfinished \.\.\.>$/s;
const RESUMED = /^(\d+) +<\.\.\. (\w+) resumed>(.*)\) += (.*)$/s;

/** Reads what `strace -f` wrote. A thread's lines are in its own order; those of different threads in that of the kernel. */
export function readTrace(text: string): Call[] {
  const calls: Call[] = [];
  const begun = new Map<string, { readonly args: string; readonly began: number }>();
  for (const [line, words] of text.split('\n').entries()) {
    const [, thread = '', args = ''] = BEGUN.exec(words) ?? [];
    if (thread !== '') begun.set(thread, { args, began: line });
    else addEnded(calls, begun, words, line);
  }
  return calls;
}

function addEnded(
  calls: Call[],
  begun: ReadonlyMap<string, { readonly args: string; readonly began: number }>,
  words: string,
  line: number,
): void {
  const resumed = RESUMED.exec(words);
  const [, thread = '', name = '', args = '', result = ''] = resumed ?? WHOLE.exec(words) ?? [];
  // Signals and ends of threads are no calls.
  if (thread === '') return;
  const start = resumed === null ? { args: '', began: line } : begun.get(thread);
  // Begun before it was traced.
  if (start === undefined) return;
  calls.push({ name, args: start.args + args, result, began: start.began, ended: line });
}
