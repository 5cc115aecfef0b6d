import { broker } from './postgres-setup.ts';

/** jest's globalTeardown. */
export default async function tearDown(): Promise<void> {
  await broker?.close();
}
