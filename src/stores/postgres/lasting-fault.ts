import type { LastingFault } from '../../errors/problem.ts';

interface Kind extends LastingFault {
  /** @param code SQLSTATE, or the code of a fault of the connection; empty where it has none */
  readonly matches: (code: string, message: string) => boolean;
}

/**
 * X509 results of OpenSSL as Node names them (https://nodejs.org/api/tls.html#x509-certificate-error-codes). Left out is
 * CERT_NOT_YET_VALID, which time does fix.
 */
const CERTIFICATE =
  /^(UNABLE_TO_(GET|DECRYPT|DECODE|VERIFY)_\w+|CERT_(SIGNATURE_FAILURE|HAS_EXPIRED|CHAIN_TOO_LONG|REVOKED|UNTRUSTED|REJECTED)|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|CRL_(SIGNATURE_FAILURE|HAS_EXPIRED)|ERR_TLS_CERT_\w+)$/;

/** A record that was damaged or cut off on its way may come whole the next time. */
function isHandshake(code: string): boolean {
  if (/UNEXPECTED_EOF|BAD_RECORD_MAC|INTERNAL_ERROR/.test(code)) return false;
  return code === 'EPROTO' || /^ERR_(SSL|OSSL|TLS)_/.test(code);
}

/** The first that matches. SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const KINDS: readonly Kind[] = [
  {
    // Prepared statements that are gone or are another client's, and how PgBouncer refuses what sessions need.
    matches: (code, message) =>
      /^(26000|42P05)$/.test(code) || /unsupported startup parameter|statement pooling mode/i.test(message),
    what: 'a connection pooler stands before PostgreSQL that does not keep sessions',
    fix: 'connect to PostgreSQL itself, or to a pool in session mode that lets startup parameters pass (PgBouncer: pool_mode = session, and ignore_startup_parameters = statement_timeout, lock_timeout, idle_in_transaction_session_timeout)',
  },
  {
    matches: (code, message) =>
      /^(28|3D)...$/.test(code) ||
      /^SASL|no such (user|database)|password authentication failed|tenant or user not found/i.test(message),
    what: 'PostgreSQL refuses the user, the password or the name of the database',
    fix: "check the user, the password and the name of the database, and that the server's pg_hba.conf lets this machine in (with TLS, where it asks for that: sslmode=verify-full)",
  },
  {
    matches: (code) => code === '42501',
    what: 'the user may not do in PostgreSQL what the receiver needs',
    fix: 'make the user the owner of the tables, and check that the user may create tables there (GRANT USAGE, CREATE ON SCHEMA ...)',
  },
  {
    matches: (code) => code === '3F000',
    what: 'the search_path of PostgreSQL leads to no schema',
    fix: 'create the schema, or name one in DATABASE_URL with ?options=-c%20search_path%3DSCHEMA',
  },
  {
    // "cached plan must not change result type" is gone with the connection.
    matches: (code, message) => /^(42...|0A000)$/.test(code) && !message.includes('cached plan'),
    what: "PostgreSQL does not have the receiver's tables as they have to be",
    fix: 'check that DATABASE_URL names a database of the receiver alone, on a supported release of PostgreSQL, and that its search_path leads to the schema with the tables',
  },
  {
    matches: (code) => CERTIFICATE.test(code),
    what: 'the certificate of PostgreSQL is not trusted',
    fix: "give the certificate of the server's authority with ?sslrootcert=FILE, renew the certificate or use the host name that it is for; sslmode=no-verify encrypts without a proof of who the server is",
  },
  {
    matches: (code, message) =>
      isHandshake(code) || /does not support SSL|establishing an SSL connection/.test(message),
    what: 'PostgreSQL and this receiver do not agree on TLS',
    fix: 'turn TLS on at the server (ssl = on) and check sslmode, sslcert and sslkey; on a network that needs none, set sslmode=disable',
  },
  {
    matches: (_, message) => message.startsWith('received invalid response'),
    what: 'another program than PostgreSQL answers',
    fix: 'check the host and the port in DATABASE_URL',
  },
];

/** `undefined`: time may fix it. */
export function findLastingFault(error: unknown): LastingFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const kind = KINDS.find(({ matches }) => matches(code, error.message));
  return kind && { what: kind.what, fix: kind.fix };
}
