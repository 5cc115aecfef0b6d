import type { Runner, Statement } from './transaction.ts';

/** By the server's clock, which is the only one that all processes share. None lasts longer than a minute: one that
 * seems to was taken before the clock was set back. */
const HOLD: Statement = {
  name: 'hold-singleton-lease',
  text: `INSERT INTO singleton_leases AS l (name, owner, held_until)
    VALUES ($1, $2, now() + $3::double precision * interval '1 millisecond')
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, held_until = excluded.held_until
      WHERE l.owner = excluded.owner OR l.held_until <= now() OR l.held_until > now() + interval '2 minutes'
    RETURNING owner`,
};

const RELEASE: Statement = {
  name: 'release-singleton-lease',
  text: 'DELETE FROM singleton_leases WHERE name = $1 AND owner = $2',
};

/** Gives whether `owner` holds it now, for so many milliseconds. */
export async function holdLease(runner: Runner, name: string, owner: string, forMs: number): Promise<boolean> {
  return (await runner.all(HOLD, name, owner, forMs)).length > 0;
}

export async function releaseLease(runner: Runner, name: string, owner: string): Promise<void> {
  await runner.all(RELEASE, name, owner);
}
