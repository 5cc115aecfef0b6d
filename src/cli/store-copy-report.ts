import type { CopyVerdict } from '../stores/copy/copy-store.ts';
import { type Cell, count, note, print, printTable } from './print.ts';
import { printable } from './printable.ts';

/** Characters of a SHA-256 that are shown to people. */
const SHOWN = 16;

interface Line {
  readonly what: string;
  readonly file: Cell;
  readonly postgres: Cell;
  readonly same: boolean;
}

export function toDocument(verdict: CopyVerdict) {
  const { ok, resumed, tables, log } = verdict;
  const { entries, chains } = log;
  return {
    ok,
    resumed,
    counts: countLines(verdict),
    sha256: tables.map(({ table, source, target, firstDifference }) => ({
      table,
      file: source,
      postgres: target,
      same: source === target,
      ...(firstDifference === null ? {} : { firstDifference }),
    })),
    auditLog: { ok: log.ok, entries, chains, ...(log.ok ? {} : { fault: log.fault }) },
  };
}

export function printVerdict(verdict: CopyVerdict): void {
  const hashes = verdict.tables.map(
    ({ table, source, target }): Line => ({
      what: `sha256 of ${table}`,
      file: source.slice(0, SHOWN),
      postgres: target.slice(0, SHOWN),
      same: source === target,
    }),
  );
  printTable(
    ['', 'file', 'PostgreSQL', ''],
    [...countLines(verdict), ...hashes].map(({ what, file, postgres, same }) => [
      what,
      file,
      postgres,
      same ? 'same' : 'DIFFERS',
    ]),
  );
  for (const { table, firstDifference } of verdict.tables) {
    if (firstDifference !== null) print(`The ${table} differ from number ${firstDifference} on.\n`);
  }
  printLog(verdict);
}

function countLines({ counts }: CopyVerdict): Line[] {
  return Array.from(counts.source, ([what, file]) => {
    const postgres = counts.target.get(what) ?? null;
    return { what, file, postgres, same: file === postgres };
  });
}

function printLog({ log, logWasBroken }: CopyVerdict): void {
  const size = `${count(log.entries, 'entry', 'entries')} in ${count(log.chains, 'chain')}`;
  if (log.ok) {
    print(`The audit log there holds: ${size}.\n`);
    return;
  }
  const { writer, seq, detail } = log.fault;
  print(printable(`The audit log there does not hold at entry ${seq} of chain ${writer}: ${detail}`));
  print('\n');
  if (logWasBroken) note('It did not hold in the file either, so the copy is what it should be.');
}
