/** What stands under a name that begins so tells of a process that is alive: a copy of the store leaves it behind. */
export const PRESENCE_PREFIX = 'presence:';
/** The handlers of each process that runs some, where several share a store. */
export const HANDLERS_PREFIX = 'handlers:';
