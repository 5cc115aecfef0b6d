/** Long enough for the settings' rule; it guards nothing. */
export const AUDIT_KEY = 'the audit key of a measurement, nothing secret';
