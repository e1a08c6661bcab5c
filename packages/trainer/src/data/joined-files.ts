import { type FileHandle, open } from 'node:fs/promises';
import { UsageError } from '../usage-error.ts';

export interface SizedFile {
  path: string;
  /** In bytes. */
  size: number;
}

/** Max files open at a time; a system may allow a process no more than 256. */
const MAX_OPEN = 32;

/** The bytes of several files as one, read at any offset; none are kept in memory. */
export class JoinedFiles implements AsyncDisposable {
  readonly size: number;
  private readonly files: readonly SizedFile[];
  /** The offset of the end of each file. */
  private readonly ends: readonly number[];
  /** By path, in the order of their last use. */
  private readonly handles = new Map<string, Promise<FileHandle>>();

  constructor(files: readonly SizedFile[]) {
    const ends: number[] = [];
    for (const { size } of files) ends.push((ends.at(-1) ?? 0) + size);
    this.files = files;
    this.ends = ends;
    this.size = ends.at(-1) ?? 0;
  }

  /**
   * Reads `count` bytes from `start` on; the caller ensures that there are as many.
   * @throws UsageError where a file cannot be read, or is shorter than it was.
   */
  async read(start: number, count: number): Promise<Buffer> {
    const bytes = Buffer.alloc(count);
    let filled = 0;
    for (let at = this.fileAt(start); filled < count; at++) {
      const file = this.files[at] as SizedFile;
      const from = start + filled - ((this.ends[at] as number) - file.size); // in the file
      const part = bytes.subarray(filled, filled + Math.min(count - filled, file.size - from));
      await this.fill(part, file.path, from);
      filled += part.length;
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const handles = [...this.handles.values()];
    this.handles.clear();
    await Promise.all(handles.map(close));
  }

  /** The first file that ends after `position`, by binary search. */
  private fileAt(position: number): number {
    let low = 0;
    let high = this.ends.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.ends[middle] as number) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private async fill(part: Buffer, path: string, from: number): Promise<void> {
    for (let filled = 0; filled < part.length; ) {
      const handle = await this.handle(path);
      const { bytesRead } = await handle.read(part, filled, part.length - filled, from + filled);
      if (bytesRead === 0) throw new UsageError(`--text: ${path} became shorter while it was read`);
      filled += bytesRead;
    }
  }

  /**
   * Promises resume in the order in which they are awaited: a read that awaits a handle starts before another read
   * evicts and closes it. And closing a file waits for the reads that were started on it.
   */
  private handle(path: string): Promise<FileHandle> {
    const handle = this.handles.get(path) ?? openToRead(path);
    this.handles.delete(path);
    this.handles.set(path, handle);
    const [oldest] = this.handles;
    if (oldest && this.handles.size > MAX_OPEN) {
      this.handles.delete(oldest[0]);
      void close(oldest[1]);
    }
    return handle;
  }
}

async function openToRead(path: string): Promise<FileHandle> {
  return open(path).catch((error: Error) => {
    throw new UsageError(`--text: ${error.message}`);
  });
}

/** A failure to open is reported by the read, not here. */
async function close(handle: Promise<FileHandle>): Promise<void> {
  await handle.then((opened) => opened.close()).catch(() => undefined);
}
