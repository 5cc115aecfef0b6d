import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';

/** Faults told at the most. */
const MOST = 10;

const copy = new DatabaseSync(String(workerData), { readOnly: true });
const rows = copy.prepare(`PRAGMA integrity_check(${MOST})`).all();
copy.close();
const faults = rows.map(({ integrity_check: fault }) => String(fault)).filter((fault) => fault !== 'ok');
parentPort?.postMessage(faults);
