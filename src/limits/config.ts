import { z } from 'zod'
import { integer } from '../environment/variable.ts'

export const limitVariables = {
  LIMIT_SIGNUPS_PER_ADDRESS: integer(1, 1_000_000).optional(),
  LIMIT_SIGNUPS_PER_NETWORK: integer(1, 1_000_000).optional(),
  LIMIT_WRITES_PER_ACCOUNT: integer(1, 100_000_000).optional(),
  LIMIT_WRITES_PER_ADDRESS: integer(1, 100_000_000).optional(),
  LIMIT_WRITES_PER_NETWORK: integer(1, 100_000_000).optional(),
  LIMIT_LOGINS_PER_ACCOUNT: integer(1, 100_000_000).optional(),
  LIMIT_LOGINS_PER_ADDRESS: integer(1, 100_000_000).optional(),
  LIMIT_READS_PER_ACCOUNT: integer(1, 100_000_000).optional(),
  LIMIT_READS_PER_ADDRESS: integer(1, 100_000_000).optional(),
  LIMIT_REFRESHES_PER_ACCOUNT: integer(1, 1_000_000).optional(),
  LIMIT_CONNECTIONS_PER_ADDRESS: integer(1, 10_000).optional(),
  LIMIT_REQUESTS_PER_SECOND_PER_ADDRESS: integer(1, 1_000_000).optional(),
  LIMIT_STREAMS_PER_ADDRESS: integer(1, 10_000).optional(),
  LIMIT_FOLLOWS: integer(1, 100_000).optional(),
  LIMIT_EXPORTS_PER_ACCOUNT: integer(1, 1_000).optional(),
  LIMIT_VERIFICATIONS_PER_ACCOUNT: integer(1, 1_000).optional(),
  LIMIT_RESETS_PER_ADDRESS: integer(1, 1_000_000).optional(),
  LIMIT_RESETS_PER_NETWORK: integer(1, 1_000_000).optional(),
  LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS: integer(1, 1_000).optional(),
  LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK: integer(1, 1_000).optional(),
  LIMIT_FAILED_LOGINS_PER_ADDRESS: integer(1, 1_000).optional(),
  LIMIT_FAILED_LOGINS_PER_NETWORK: integer(1, 1_000).optional(),
  LIMIT_FAILED_LOGINS_PER_ACCOUNT: integer(1, 1_000).optional(),
  LIMIT_FAILED_LOGINS_PER_DEVICE: integer(1, 1_000).optional(),
  // NIST SP 800-63B-4, 3.2.2: no more than 100.
  LIMIT_FAILED_LOGINS_IN_A_ROW: integer(1, 100).optional(),
  LIMIT_FAILED_CODES_PER_ACCOUNT: integer(1, 1_000).optional(),
  // As above.
  LIMIT_FAILED_CODES_IN_A_ROW: integer(1, 100).optional(),
}

const settings = z.object(limitVariables)

export function readLimits(given: z.infer<typeof settings>, production: boolean) {
  return {
    signupsPerAddress: given.LIMIT_SIGNUPS_PER_ADDRESS ?? (production ? 20 : 1_000),
    signupsPerNetwork: given.LIMIT_SIGNUPS_PER_NETWORK ?? (production ? 100 : 10_000),
    writesPerAccount: given.LIMIT_WRITES_PER_ACCOUNT ?? (production ? 1_000 : 1_000_000),
    writesPerAddress: given.LIMIT_WRITES_PER_ADDRESS ?? (production ? 5_000 : 10_000_000),
    writesPerNetwork: given.LIMIT_WRITES_PER_NETWORK ?? (production ? 20_000 : 10_000_000),
    loginsPerAccount: given.LIMIT_LOGINS_PER_ACCOUNT ?? (production ? 30 : 1_000_000),
    loginsPerAddress: given.LIMIT_LOGINS_PER_ADDRESS ?? (production ? 300 : 1_000_000),
    readsPerAccount: given.LIMIT_READS_PER_ACCOUNT ?? (production ? 30_000 : 100_000_000),
    readsPerAddress: given.LIMIT_READS_PER_ADDRESS ?? (production ? 300_000 : 100_000_000),
    refreshesPerAccount: given.LIMIT_REFRESHES_PER_ACCOUNT ?? (production ? 1_000 : 1_000_000),
    connectionsPerAddress: given.LIMIT_CONNECTIONS_PER_ADDRESS ?? (production ? 500 : 10_000),
    requestsPerSecond: given.LIMIT_REQUESTS_PER_SECOND_PER_ADDRESS ?? (production ? 500 : 1_000_000),
    streamsPerAddress: given.LIMIT_STREAMS_PER_ADDRESS ?? (production ? 100 : 10_000),
    follows: given.LIMIT_FOLLOWS ?? 7_500,
    exportsPerAccount: given.LIMIT_EXPORTS_PER_ACCOUNT ?? 3,
    verificationsPerAccount: given.LIMIT_VERIFICATIONS_PER_ACCOUNT ?? 5,
    resetsPerAddress: given.LIMIT_RESETS_PER_ADDRESS ?? (production ? 20 : 1_000),
    resetsPerNetwork: given.LIMIT_RESETS_PER_NETWORK ?? (production ? 100 : 10_000),
    failedLogins: {
      pair: given.LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_ADDRESS ?? 10,
      accountAndNetwork: given.LIMIT_FAILED_LOGINS_PER_ACCOUNT_AND_NETWORK ?? 20,
      address: given.LIMIT_FAILED_LOGINS_PER_ADDRESS ?? 50,
      network: given.LIMIT_FAILED_LOGINS_PER_NETWORK ?? 200,
      account: given.LIMIT_FAILED_LOGINS_PER_ACCOUNT ?? 100,
      device: given.LIMIT_FAILED_LOGINS_PER_DEVICE ?? 10,
      inARow: given.LIMIT_FAILED_LOGINS_IN_A_ROW ?? 100,
    },
    failedCodes: {
      account: given.LIMIT_FAILED_CODES_PER_ACCOUNT ?? 20,
      inARow: given.LIMIT_FAILED_CODES_IN_A_ROW ?? 100,
    },
  }
}
