import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { AUDIT_KEY } from './audit-key.ts';
import { runGenerator } from './run-generator.ts';
import { RECEIVER, startServer } from './servers.ts';

/** What a flood of strangers leaves behind. */
export interface FloodResult {
  readonly sent: number;
  readonly written: number;
  readonly counted: number;
  readonly seconds: number;
  readonly diskBytes: number;
}

const GENERATOR = fileURLToPath(new URL('./flood-load.ts', import.meta.url));

/** Sends so many requests without credentials, stops the receiver, and adds up what its audit log says of them. */
export async function flood(amount: number, connections: number): Promise<FloodResult> {
  const server = await startServer(RECEIVER, { AUDIT_KEY });
  try {
    const before = sizeOf(join(server.dir, 'data'));
    const started = performance.now();
    process.stdout.write(await runGenerator(GENERATOR, [server.url, String(amount), String(connections)], amount));
    const seconds = (performance.now() - started) / 1_000;
    await server.stop({ keep: true });
    const counts = count(join(server.dir, 'data/receiver.db'));
    const diskBytes = sizeOf(join(server.dir, 'data')) - before;
    return { sent: amount, ...counts, seconds, diskBytes };
  } finally {
    await server.stop();
  }
}

function count(file: string): { written: number; counted: number } {
  const db = new DatabaseSync(file, { readOnly: true });
  const row = db
    .prepare(
      `SELECT sum(metadata ->> 'aggregated' IS NULL) AS written, sum(coalesce(metadata ->> 'count', 0)) AS counted
        FROM audit_entries WHERE action = 'webhook.receive' AND user_id = 'anonymous'`,
    )
    .get();
  db.close();
  return { written: Number(row?.['written'] ?? 0), counted: Number(row?.['counted'] ?? 0) };
}

/** Bytes of all files in a folder and below. */
export function sizeOf(dir: string): number {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((file) => statSync(join(dir, file)))
    .filter((stats) => stats.isFile())
    .reduce((sum, { size }) => sum + size, 0);
}
