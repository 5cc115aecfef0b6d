import { type AuditKey, deriveAuditKey } from '../audit/chain.ts';
import type { AuditEntry, ChainHead } from '../audit/entry.ts';
import { HEADS_FILE } from '../audit/heads-file.ts';
import { followsOf } from '../audit/link-chains.ts';
import type { AnchorHead } from '../audit/parse-anchor.ts';
import { type AuditVerdict, verifyAudit } from '../audit/verify.ts';
import type { Settings } from '../config/settings.ts';
import type { AuditSnapshot, StoredBody } from '../inbox/store.ts';
import { BodyProofs } from './body-proofs.ts';
import { interruptible } from './interrupt.ts';
import { commandSettings, type ReadableStore, readStore } from './open-store.ts';
import { count, note, print, printJson } from './print.ts';
import { printable } from './printable.ts';
import { startProgress } from './progress.ts';
import { OWN_ANCHOR, readAnchor, readOwnAnchor } from './read-anchor.ts';

const PAGE = 2_000;
const BODY_PAGE = { rows: 500, bytes: 16 * 1024 * 1024 };

interface VerifyOptions {
  /** `false`: none, not even the receiver's own file. */
  readonly anchor?: string | false;
  readonly bodies?: true;
  readonly json?: true;
}

/** What is told of the log besides the verdict. */
interface Gathered {
  first: AuditEntry | undefined;
  /** By writer, the newest entry that a later chain's first entry names. */
  readonly named: Map<string, number>;
}

/** A stored body that is not the one that was accepted. */
interface BodyFault {
  readonly kind: 'body';
  readonly of: StoredBody['kind'];
  readonly id: string;
  readonly detail: string;
}

interface Checked {
  readonly verdict: AuditVerdict;
  /** Bodies read; `undefined`: none was asked for. */
  readonly bodies: number | undefined;
  readonly bodyFault: BodyFault | undefined;
}

/** Leaves no entry of its own: evidence is not to be changed by looking at it. */
export async function verify(options: VerifyOptions): Promise<void> {
  const settings = commandSettings();
  const { anchor: file } = options;
  const anchor = file === false ? [] : file === undefined ? readOwnAnchor(settings) : readAnchor(file);
  const anchorName = file === undefined ? OWN_ANCHOR : 'the anchor';
  const gathered: Gathered = { first: undefined, named: new Map() };
  const stop = interruptible();
  const proofs = options.bodies ? new BodyProofs() : undefined;
  try {
    const checked = await readStore(settings, (store) => {
      const key = deriveAuditKey(settings.audit.key);
      const checking = { key, anchor, anchorName, gathered, proofs, signal: stop.signal };
      return onSnapshot(store, (snapshot) => check(snapshot, checking));
    });
    report(checked, gathered, options);
  } finally {
    proofs?.close();
    stop.release();
  }
}

/** The entries of one moment, held against the receiver's own file of heads; without bodies. */
export async function verifyStore(
  store: ReadableStore,
  settings: Settings,
  signal: AbortSignal,
): Promise<AuditVerdict> {
  const checking: Checking = {
    key: deriveAuditKey(settings.audit.key),
    anchor: readOwnAnchor(settings),
    anchorName: OWN_ANCHOR,
    gathered: { first: undefined, named: new Map() },
    proofs: undefined,
    signal,
  };
  return (await onSnapshot(store, (snapshot) => check(snapshot, checking))).verdict;
}

function report({ verdict, bodies, bodyFault }: Checked, gathered: Gathered, options: VerifyOptions): void {
  // Before anything is printed: a reader that goes away must not turn a failure into a success.
  process.exitCode = verdict.ok && bodyFault === undefined ? 0 : 1;
  if (!verdict.ok) printBroken(verdict, gathered, options);
  else if (bodyFault !== undefined) printBadBody(verdict, bodyFault, options);
  else printHolding(verdict, bodies, gathered, options);
}

interface Checking {
  readonly key: AuditKey;
  readonly anchor: readonly AnchorHead[];
  readonly anchorName: string;
  readonly gathered: Gathered;
  readonly proofs: BodyProofs | undefined;
  readonly signal: AbortSignal;
}

async function check(snapshot: AuditSnapshot, checking: Checking): Promise<Checked> {
  const { key, anchor, anchorName, gathered, proofs, signal } = checking;
  const described = await snapshot.describe();
  const read = () => readEntries(snapshot, gathered, proofs);
  const verdict = await verifyAudit(read, key, { anchor, anchorName, described, signal });
  if (!verdict.ok || proofs === undefined) return { verdict, bodies: undefined, bodyFault: undefined };
  return { verdict, ...(await checkBodies(snapshot, proofs, verdict.prunedBefore, signal)) };
}

async function checkBodies(
  snapshot: AuditSnapshot,
  proofs: BodyProofs,
  prunedBefore: number | undefined,
  signal: AbortSignal,
): Promise<Omit<Checked, 'verdict'>> {
  const progress = startProgress('bodies');
  let bodies = 0;
  let last: StoredBody | undefined;
  try {
    for (;;) {
      signal.throwIfAborted();
      const page: StoredBody[] = await snapshot.bodies(last && { kind: last.kind, seq: last.seq }, BODY_PAGE);
      for (const body of page) {
        bodies += 1;
        const detail = proofs.findFault(body, prunedBefore);
        if (detail !== undefined) return { bodies, bodyFault: { kind: 'body', of: body.kind, id: body.id, detail } };
      }
      progress.update(bodies);
      last = page.at(-1);
      if (last === undefined) return { bodies, bodyFault: undefined };
    }
  } finally {
    progress.stop();
  }
}

async function onSnapshot<T>(store: ReadableStore, work: (snapshot: AuditSnapshot) => Promise<T>): Promise<T> {
  const snapshot = await store.openAuditSnapshot();
  try {
    return await work(snapshot);
  } finally {
    await snapshot.close();
  }
}

async function* readEntries(
  snapshot: AuditSnapshot,
  gathered: Gathered,
  proofs: BodyProofs | undefined,
): AsyncGenerator<AuditEntry> {
  const progress = startProgress('entries');
  let read = 0;
  let last: AuditEntry | undefined;
  try {
    for (;;) {
      const page: AuditEntry[] = await snapshot.read(last, PAGE);
      for (const entry of page) {
        gathered.first ??= entry;
        for (const { writer, seq } of followsOf(entry)) {
          gathered.named.set(writer, Math.max(seq, gathered.named.get(writer) ?? 0));
        }
        proofs?.note(entry);
        yield entry;
      }
      read += page.length;
      progress.update(read);
      last = page.at(-1);
      if (last === undefined) return;
    }
  } finally {
    progress.stop();
  }
}

function printHolding(
  verdict: Extract<AuditVerdict, { ok: true }>,
  bodies: number | undefined,
  { named }: Gathered,
  { json }: VerifyOptions,
): void {
  // The others hang on these.
  const heads = verdict.heads.filter(({ writer, seq }: ChainHead) => seq > (named.get(writer) ?? 0));
  const { entries, chains } = verdict;
  if (json) {
    printJson({ ok: true, entries, chains, heads, ...(bodies === undefined ? {} : { bodies }) });
    return;
  }
  if (bodies !== undefined) print(`${count(bodies, 'stored body', 'stored bodies')} as accepted.\n`);
  print(`The log holds: ${count(entries, 'entry', 'entries')} in ${count(chains, 'chain')}. Its heads, to be kept elsewhere:
`);
  print(heads.map(({ writer, seq, hash }) => `${printable(writer)} ${seq} ${hash}\n`).join(''));
}

function printBadBody(verdict: AuditVerdict, fault: BodyFault, { json }: VerifyOptions): void {
  const { entries, chains } = verdict;
  if (json) printJson({ ok: false, entries, chains, fault, faultyChains: 0 });
  else {
    const what = fault.of === 'event' ? 'event' : 'quarantined body';
    print(printable(`The log holds, but the body of ${what} ${fault.id} does not: ${fault.detail} (body)`));
    print('\n');
  }
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
    : fault.detail.includes(OWN_ANCHOR)
      ? `If you restored an older copy of the store, move ${HEADS_FILE} away; --no-anchor leaves it out.`
      : undefined;
  if (json) {
    printJson({ ok: false, entries, chains, fault, faultyChains, ...(hint === undefined ? {} : { hint }) });
    return;
  }
  const { kind, writer, seq, id, detail } = fault;
  const whole = seq === 0 ? `The log does not hold: ${detail} (${kind})` : undefined;
  print(
    printable(
      whole ??
        `The log does not hold at entry ${seq} of chain ${writer}${id === null ? '' : ` (${id})`}: ${detail} (${kind})`,
    ),
  );
  print(
    `\n${count(entries, 'entry', 'entries')} in ${count(chains, 'chain')} read, ${count(faultyChains, 'chain')} with faults.\n`,
  );
  if (hint !== undefined) note(hint);
}
