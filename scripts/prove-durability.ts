/**
 * Proves on the system calls of a real receiver that each 200 is on the disk before it is said, and on real and injected
 * faults of the disk that it says 503 instead, goes on by itself, and loses nothing. Needs Linux and strace, from the
 * PATH or named by STRACE; what needs root is left out without it, and says so.
 *
 *   node scripts/prove-durability.ts
 */
import Table from 'cli-table3';
import type { OrderReport } from './durability/check-order.ts';
import { FAULTS, proveFault } from './durability/prove-faults.ts';
import { proveOrder, proveOrderCanFail } from './durability/prove-order.ts';
import { type PlaceProof, proveFullDisk, proveReadOnly } from './durability/prove-places.ts';

const table = new Table({ head: ['what', 'seen', 'holds'], style: { head: [], border: [] }, wordWrap: true });

async function prove(what: string, proof: () => Promise<string | undefined>): Promise<void> {
  try {
    const seen = await proof();
    table.push([what, seen ?? 'not tried: this machine does not let this user', seen === undefined ? '-' : 'yes']);
  } catch (error) {
    table.push([what, error instanceof Error ? error.message : String(error), 'NO']);
    process.exitCode = 1;
  }
}

function describeOrder({ answers, syncs, faults }: OrderReport): string {
  const first = faults[0];
  const most = first === undefined ? '' : `, such as ${first.mark}: ${first.fault}`;
  return `${answers} answers 200, ${syncs} syncs of the log, ${faults.length} answers too early${most}`;
}

await prove('each 200 follows a sync of the log begun after its event and its audit entry', async () => {
  const report = await proveOrder();
  if (report.faults.length > 0) throw new Error(describeOrder(report));
  return describeOrder(report);
});
await prove('the same check on a copy with synchronous = NORMAL finds fault', async () => {
  const report = await proveOrderCanFail();
  if (report.faults.length === 0) throw new Error(`it finds none: ${describeOrder(report)}`);
  return describeOrder(report);
});
for (const fault of FAULTS) {
  await prove(fault.name, async () => {
    const { injected, refused, stored, longestWait } = await proveFault(fault);
    return `${injected} injected, ${refused} answered 503, ${stored} events stored, longest wait ${Math.round(longestWait)} ms`;
  });
}
const places: readonly (readonly [string, PlaceProof])[] = [
  ['a full disk', proveFullDisk],
  ['a file that may not be written', proveReadOnly],
];
for (const [name, proof] of places) {
  await prove(name, async () => {
    const report = await proof();
    return report && `${report.refused} answered 503, ${report.stored} events stored`;
  });
}
process.stdout.write(`${table.toString()}\n`);
