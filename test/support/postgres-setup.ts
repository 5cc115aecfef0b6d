import { PostgresBroker } from './postgres-broker.ts';

/** jest's globalSetup; what it gives is for `postgres-teardown.ts`. */
export let broker: PostgresBroker | undefined;

export default async function setUp(): Promise<void> {
  broker = new PostgresBroker();
  await broker.open();
}
