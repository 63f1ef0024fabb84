import { createHash } from 'node:crypto'
import { BSON } from 'mongodb'
import { z } from 'zod'

/**
 * A backup is a gzip file of BSON documents, one after another: a header; for each collection its name, its documents and
 * an empty document; a trailer with the number of documents and the SHA-256 of every byte before the trailer.
 */
const formatVersion = 1

const headerSchema = z.object({
  rookeryBackup: z.literal(formatVersion),
  /** Of the program that wrote it. It is printed: in a forged file, it could control the terminal. */
  version: z.string().regex(/^[\w.+-]{1,64}$/),
  /** See database/data-version.ts. */
  dataVersion: z.number().int(),
  startedAt: z.date(),
})
const sectionSchema = z.object({ collection: z.string() })
const trailerSchema = z.object({ documents: z.number().int(), sha256: z.hex().length(64) })

export type Header = z.infer<typeof headerSchema>
export type Trailer = z.infer<typeof trailerSchema>

/** Why a file is no backup that can be restored. */
export class BackupFormatError extends Error {
  override readonly name = 'BackupFormatError'
}

const endOfCollection = Buffer.from(BSON.serialize({}))
/** MongoDB's limit of 16 MiB, and what it adds to commands. */
const maxDocumentBytes = 16_793_600

/** @throws whatever `sink` does */
export function backupEncoder(sink: (bytes: Buffer) => Promise<void>) {
  const hash = createHash('sha256')
  let documents = 0
  const write = (bytes: Buffer) => {
    hash.update(bytes)
    return sink(bytes)
  }
  return {
    header: (header: Omit<Header, 'rookeryBackup'>) =>
      write(Buffer.from(BSON.serialize({ rookeryBackup: formatVersion, ...header }))),
    beginCollection: (collection: string) => write(Buffer.from(BSON.serialize({ collection }))),
    /** @param batch - as BSON */
    documents(batch: readonly Uint8Array[]): Promise<void> {
      documents += batch.length
      return write(Buffer.concat(batch))
    },
    endCollection: () => write(endOfCollection),
    async trailer(): Promise<Trailer> {
      const trailer = { documents, sha256: hash.digest('hex') }
      await sink(Buffer.from(BSON.serialize(trailer)))
      return trailer
    },
  }
}

export type BackupPart =
  | { kind: 'header'; header: Header }
  | { kind: 'document'; collection: string; bson: Buffer }
  | { kind: 'trailer'; trailer: Trailer }

/**
 * The parts of a backup, of which the last is the trailer, whose checksum and count were compared with what came before.
 * @throws BackupFormatError unless the bytes are one complete backup
 */
export async function* decodeBackup(bytes: AsyncIterable<Buffer>): AsyncGenerator<BackupPart, void, void> {
  const hash = createHash('sha256')
  let state: 'header' | 'between' | 'ended' | { collection: string } = 'header'
  let documents = 0
  for await (const bson of splitDocuments(bytes)) {
    if (state === 'ended') throw new BackupFormatError('bytes follow its end')
    if (typeof state === 'object') {
      hash.update(bson)
      if (bson.length === endOfCollection.length) state = 'between'
      else {
        documents += 1
        yield { kind: 'document', collection: state.collection, bson }
      }
      continue
    }
    const part: unknown = BSON.deserialize(bson)
    if (state === 'header') {
      const header = headerSchema.safeParse(part)
      if (!header.success) throw new BackupFormatError('it does not begin as a backup of this version does')
      yield { kind: 'header', header: header.data }
      state = 'between'
    } else {
      const trailer = trailerSchema.safeParse(part)
      if (trailer.success) {
        const sha256 = hash.digest('hex')
        if (trailer.data.sha256 !== sha256 || trailer.data.documents !== documents)
          throw new BackupFormatError('its checksum does not match')
        yield { kind: 'trailer', trailer: trailer.data }
        state = 'ended'
        continue
      }
      const section = sectionSchema.safeParse(part)
      if (!section.success) throw new BackupFormatError('a part of it is unknown')
      state = section.data
    }
    hash.update(bson)
  }
  if (state !== 'ended') throw new BackupFormatError('its end is missing')
}

/** @throws BackupFormatError for lengths that no document has, and for an incomplete last one */
async function* splitDocuments(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of bytes) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const length = rest.readInt32LE(0)
      if (length < endOfCollection.length || length > maxDocumentBytes)
        throw new BackupFormatError('it is damaged, or no backup')
      if (rest.length < length) break
      yield rest.subarray(0, length)
      rest = rest.subarray(length)
    }
  }
  if (rest.length > 0) throw new BackupFormatError('its end is missing')
}
