import type { ConsoleLine, EndStatus } from '@evenkeel/protocol';

/** What a file says of its run. What is left out is as it was before, and so are keys that `config` does not have. */
export interface RunFacts {
  /** What the tool that wrote it calls the run. */
  id?: string;
  project?: string;
  name?: string;
  config?: Record<string, unknown>;
  tags?: string[];
  notes?: string;
  /** In milliseconds since 1970. */
  startedAt?: number;
}

/** What a decoder finds in a file, in order. */
export type Found =
  | ({ kind: 'run' } & RunFacts)
  /** Values that were reported together, by the names that their writer gives them; time in milliseconds since 1970. */
  | { kind: 'row'; step: number; time: number | null; values: Record<string, number> }
  /** The job was resumed: what follows is of its next attempt. It means nothing where no row came before. */
  | { kind: 'attempt' }
  | { kind: 'console'; line: Omit<ConsoleLine, 'line'> }
  | { kind: 'end'; status: EndStatus; reason: string | null; endedAt: number | null }
  /** What could not be read, or has no place in a run: how often, and why, as a sentence goes on from "3 records: …". */
  | { kind: 'lost'; what: string; count: number; reason: string };

/** Where a decoder has come to: JSON that a later process can go on from. */
export interface Position {
  /** Bytes of the file up to the end of the last whole record. */
  bytes: number;
  /** What the decoder must remember of them. */
  state?: unknown;
}

/** Reads one file from its beginning, or from a position; it never throws at what a file holds. */
export interface FileDecoder {
  readonly position: Position;
  /** Takes the next bytes of the file, and may keep them. An incomplete record waits for its rest. */
  push(bytes: Uint8Array): Found[];
  /** The file ends here. What waits for more is read as far as it goes, and the rest is `lost`. */
  end(): Found[];
}

/** A kind of file that grows while its run does, so that it can be followed as well as imported. */
export interface FileFormat {
  /** Such as `tensorboard`, also for people. */
  name: string;
  /**
   * Whether a writer replaces the whole file rather than appending to it. It is read from its beginning whenever it has
   * changed, with the position of the run: what is known of it, whichever of its files that was read from.
   */
  isRewritten?: true;
  /** Whether a file is of this kind. @param head its first bytes, up to 4 KiB. */
  matches(path: string, head: Uint8Array): boolean;
  /**
   * The run that a file belongs to: files of the same key are one run, in the order of their names.
   * @param path below the folder that was named, with slashes.
   */
  runOf(path: string): { key: string; name: string };
  /** Whether it says how a run ended: one without an end was killed, or is still running. */
  saysEnd?: boolean;
  /** What lies beside a file of its run, such as its configuration; nothing where there is none that can be read. */
  factsBeside?(path: string): Promise<RunFacts>;
  decode(from: Position | null): FileDecoder;
}

/** A run in a store that is read as a whole, such as a database. */
export interface StoredRun extends RunFacts {
  id: string;
  /** Rows in the order in which they were written, and what else there is. */
  read(): AsyncGenerator<Found>;
}

/** A kind of store that can be imported and not followed. */
export interface StoreFormat {
  name: string;
  /** Whether a file or folder is such a store. */
  matches(path: string): Promise<boolean>;
  runs(path: string): AsyncGenerator<StoredRun>;
}
