import { readFileSync } from 'node:fs';
import { deriveAuditKey } from '../audit/chain.ts';
import type { AuditEntry, ChainHead } from '../audit/entry.ts';
import { followsOf } from '../audit/link-chains.ts';
import { type AnchorHead, parseAnchor } from '../audit/parse-anchor.ts';
import { type AuditVerdict, verifyAudit } from '../audit/verify.ts';
import { errnoCode } from '../config/read-text-file.ts';
import type { AuditSnapshot } from '../inbox/store.ts';
import { commandSettings, type ReadableStore, readStore } from './open-store.ts';
import { count, note, print, printJson } from './print.ts';
import { printable } from './printable.ts';
import { startProgress } from './progress.ts';

const PAGE = 2_000;

interface VerifyOptions {
  readonly anchor?: string;
  readonly json?: true;
}

/** What is told of the log besides the verdict. */
interface Gathered {
  first: AuditEntry | undefined;
  /** By writer, the newest entry that a later chain's first entry names. */
  readonly named: Map<string, number>;
}

/** Leaves no entry of its own: evidence is not to be changed by looking at it. */
export async function verify(options: VerifyOptions): Promise<void> {
  const settings = commandSettings();
  const anchor = options.anchor === undefined ? [] : readAnchor(options.anchor);
  const gathered: Gathered = { first: undefined, named: new Map() };
  const verdict = await readStore(settings, (store) =>
    onSnapshot(store, (snapshot, progress) =>
      verifyAudit(() => readEntries(snapshot, gathered, progress), deriveAuditKey(settings.audit.key), { anchor }),
    ),
  );
  // Before anything is printed: a reader that goes away must not turn a failure into a success.
  process.exitCode = verdict.ok ? 0 : 1;
  if (verdict.ok) printHolding(verdict, gathered, options);
  else printBroken(verdict, gathered, options);
}

function readAnchor(file: string): AnchorHead[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`${file} cannot be read (${errnoCode(error)})`);
  }
  return parseAnchor(text);
}

async function onSnapshot<T>(
  store: ReadableStore,
  work: (snapshot: AuditSnapshot, onProgress: (entries: number) => void) => Promise<T>,
): Promise<T> {
  const progress = startProgress('entries');
  const snapshot = await store.openAuditSnapshot();
  try {
    return await work(snapshot, progress.update);
  } finally {
    progress.stop();
    await snapshot.close();
  }
}

async function* readEntries(
  snapshot: AuditSnapshot,
  gathered: Gathered,
  onProgress: (entries: number) => void,
): AsyncGenerator<AuditEntry> {
  let read = 0;
  let last: AuditEntry | undefined;
  for (;;) {
    const page: AuditEntry[] = await snapshot.read(last, PAGE);
    for (const entry of page) {
      gathered.first ??= entry;
      for (const { writer, seq } of followsOf(entry)) {
        gathered.named.set(writer, Math.max(seq, gathered.named.get(writer) ?? 0));
      }
      yield entry;
    }
    read += page.length;
    onProgress(read);
    last = page.at(-1);
    if (last === undefined) return;
  }
}

function printHolding(
  verdict: Extract<AuditVerdict, { ok: true }>,
  { named }: Gathered,
  { json }: VerifyOptions,
): void {
  // The others hang on these.
  const heads = verdict.heads.filter(({ writer, seq }: ChainHead) => seq > (named.get(writer) ?? 0));
  const { entries, chains } = verdict;
  if (json) {
    printJson({ ok: true, entries, chains, heads });
    return;
  }
  print(`The log holds: ${count(entries, 'entry', 'entries')} in ${count(chains, 'chain')}. Its heads, to be kept elsewhere:
`);
  print(heads.map(({ writer, seq, hash }) => `${printable(writer)} ${seq} ${hash}\n`).join(''));
}

function printBroken(
  verdict: Extract<AuditVerdict, { ok: false }>,
  { first }: Gathered,
  { json }: VerifyOptions,
): void {
  const { entries, chains, fault, faultyChains } = verdict;
  const atFirst = fault.kind === 'edited' && fault.writer === first?.writer && fault.seq === first.seq;
  const hint = atFirst
    ? 'It is the very first entry: if AUDIT_KEY is not the key with which the log was written, no entry holds.'
    : undefined;
  if (json) {
    printJson({ ok: false, entries, chains, fault, faultyChains, ...(hint === undefined ? {} : { hint }) });
    return;
  }
  const { kind, writer, seq, id, detail } = fault;
  print(
    printable(
      `The log does not hold at entry ${seq} of chain ${writer}${id === null ? '' : ` (${id})`}: ${detail} (${kind})`,
    ),
  );
  print(
    `\n${count(entries, 'entry', 'entries')} in ${count(chains, 'chain')} read, ${count(faultyChains, 'chain')} with faults.\n`,
  );
  if (hint !== undefined) note(hint);
}
