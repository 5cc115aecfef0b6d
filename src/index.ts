export {
  defineHandler,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerEventName,
  type HandlerLog,
  type HandlerLogger,
  type HandlerOf,
} from './events/define-handler.ts';
export type { CanonicalType } from './events/names.ts';
export type * from './events/payloads.ts';
export type {
  CanonicalEvent,
  CustomLabel,
  CustomLabelEvent,
  EventOf,
  InstantlyEvent,
  UnknownEvent,
} from './events/types.ts';
