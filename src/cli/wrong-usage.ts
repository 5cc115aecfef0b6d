/** A command was called in a way that can do nothing: its message is shown, and the exit code is 2. */
export class WrongUsage extends Error {}
