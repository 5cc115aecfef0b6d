import { RowRefused } from '../../errors/problem.ts';
import { quarantineForm } from '../../inbox/keep-otherwise.ts';
import { isEmptyParcel, type Parcel, rowsOf, type SpilledBody, type SpilledEvent, type SpillSize } from './parcel.ts';

/** What a spill can be moved into. */
export interface MoveTarget {
  /** One transaction. The same again, after it or at the same time, changes nothing. */
  moveIn(parcel: Parcel): Promise<void>;
}

export interface MoveWays {
  readonly moveIn: (parcel: Parcel) => Promise<void>;
  /** Removes a parcel from the spill, and lays those of its rows aside there that could not be moved. */
  readonly forget: (
    rows: ReturnType<typeof rowsOf>,
    refused: ReturnType<typeof rowsOf> | undefined,
  ) => Promise<SpillSize>;
  /** Told of rows that the store behind refuses: events then in quarantine, all others laid aside in the spill. */
  readonly onRefused?: ((rows: number, error: RowRefused) => void) | undefined;
}

/** Moves a parcel and forgets it. A row that the store behind refuses by itself keeps back no other. */
export async function moveParcel(ways: MoveWays, parcel: Parcel): Promise<SpillSize> {
  const refused = await moveRows(ways, parcel);
  return ways.forget(rowsOf(parcel), isEmptyParcel(refused) ? undefined : rowsOf(refused));
}

/** Gives the rows that cannot be moved in any form. */
async function moveRows(ways: MoveWays, parcel: Parcel): Promise<Parcel> {
  try {
    await ways.moveIn(parcel);
    return NOTHING;
  } catch (error) {
    if (!(error instanceof RowRefused)) throw error;
    const parts = split(parcel);
    if (parts === undefined) return moveOtherwise(ways, parcel, error);
    const [first, second] = [await moveRows(ways, parts[0]), await moveRows(ways, parts[1])];
    return {
      ...NOTHING,
      events: [...first.events, ...second.events],
      bodies: [...first.bodies, ...second.bodies],
      entries: [...first.entries, ...second.entries],
    };
  }
}

const NOTHING: Parcel = { events: [], bodies: [], entries: [], isWhole: false };

/** By kind, then in halves; `undefined`: it is a single row. */
function split(parcel: Parcel): [Parcel, Parcel] | undefined {
  const { events, bodies, entries } = parcel;
  if (events.length > 0 && bodies.length + entries.length > 0)
    return [
      { ...NOTHING, events },
      { ...NOTHING, bodies, entries },
    ];
  if (bodies.length > 0 && entries.length > 0)
    return [
      { ...NOTHING, bodies },
      { ...NOTHING, entries },
    ];
  const rows = events.length + bodies.length + entries.length;
  if (rows < 2) return undefined;
  const half = Math.ceil(rows / 2);
  const part = (from: number, to: number): Parcel => ({
    ...NOTHING,
    events: events.slice(from, to),
    bodies: bodies.slice(from, to),
    entries: entries.slice(from, to),
  });
  return [part(0, half), part(half, rows)];
}

async function moveOtherwise(ways: MoveWays, single: Parcel, error: RowRefused): Promise<Parcel> {
  ways.onRefused?.(1, error);
  const [event] = single.events;
  if (event === undefined) return single;
  try {
    await ways.moveIn({ ...NOTHING, bodies: [toBody(event)] });
    return NOTHING;
  } catch (fault) {
    if (!(fault instanceof RowRefused)) throw fault;
    return single;
  }
}

function toBody({ event }: SpilledEvent): SpilledBody {
  return { ...quarantineForm(event), lastReceivedAt: event.receivedAt, times: 1 };
}
