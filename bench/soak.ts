import { round } from './figures.ts';
import { runLoad } from './run-load.ts';
import { RECEIVER, residentMb, SECRET, startServer } from './servers.ts';

export interface MemorySample {
  readonly events: number;
  readonly rssMb: number;
}

const SAMPLES = 20;

/** Memory of the receiver over so many events. */
export async function soak(amount: number, connections: number): Promise<readonly MemorySample[]> {
  const server = await startServer(RECEIVER);
  const samples: MemorySample[] = [];
  const step = Math.ceil(amount / SAMPLES);
  try {
    for (let events = 0; events < amount; events += step) {
      const result = await runLoad({ url: server.url, secret: SECRET, connections, leads: 50_000, amount: step });
      if (result.ok !== step) throw new Error(`${step - result.ok} were not answered 200`);
      samples.push({ events: events + step, rssMb: Math.round(residentMb(server.pid)) });
      process.stderr.write(`${events + step} events, ${round(result.rate)}/s, ${samples.at(-1)?.rssMb} MB\n`);
    }
  } finally {
    await server.stop();
  }
  console.table(samples);
  return samples;
}
