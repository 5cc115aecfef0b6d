import { canonicalType } from './names.ts';
import { SAMPLES, type SamplePayload } from './samples.ts';

export interface SampleOptions {
  /** From 0; another index gives another event. */
  readonly index: number;
  /** Epoch milliseconds; becomes the sample's timestamp. */
  readonly now: number;
}

/**
 * The sample of a type by its canonical name, Instantly's alias, or `custom_label`, as a new event: time, ids and lead
 * follow from the options, so that equal options make a duplicate. `undefined` where no sample has that name.
 */
export function sample(type: string, options: SampleOptions): SamplePayload | undefined {
  const name = canonicalType(type);
  if (!hasSample(name)) return undefined;
  const original: SamplePayload = SAMPLES[name];
  return {
    ...original,
    timestamp: new Date(options.now).toISOString(),
    ...freshIds(original, options),
    ...freshLead(original, options.index),
  };
}

function hasSample(name: string): name is keyof typeof SAMPLES {
  return Object.hasOwn(SAMPLES, name);
}

function freshIds(original: SamplePayload, { index, now }: SampleOptions): SamplePayload {
  const id = sampleId(index, now);
  if (original['email_id'] !== undefined) return { email_id: id };
  if (original['lead_email'] !== undefined) return {};
  // Without a lead, only the campaign or the workspace is left to tell one sample from another of the same millisecond.
  return original['campaign_id'] === undefined ? { workspace: id } : { campaign_id: id };
}

/** Of the shape of a UUID v7: the time, then the index. */
function sampleId(index: number, now: number): string {
  const time = now.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${index.toString(16).padStart(12, '0')}`;
}

function freshLead(original: SamplePayload, index: number): SamplePayload {
  const address = original['lead_email'];
  if (typeof address !== 'string') return {};
  const fresh = address.replace('@', `-${index}@`);
  const link = original['unibox_url'];
  if (typeof link !== 'string') return { lead_email: fresh };
  return { lead_email: fresh, unibox_url: link.replace(address, fresh) };
}
