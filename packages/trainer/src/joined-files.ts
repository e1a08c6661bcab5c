import { type FileHandle, open } from 'node:fs/promises';
import { UsageError } from './usage-error.ts';

export interface SizedFile {
  path: string;
  /** In bytes. */
  size: number;
}

/** As many files are kept open; a system may allow a process no more than 256. */
const MAX_OPEN = 32;

/** The bytes of files that follow each other, read from wherever, without holding any. */
export class JoinedFiles implements AsyncDisposable {
  readonly size: number;
  private readonly files: readonly SizedFile[];
  /** Where each file ends in the whole. */
  private readonly ends: readonly number[];
  /** By path; the one read last is the last. */
  private readonly handles = new Map<string, Promise<FileHandle>>();

  constructor(files: readonly SizedFile[]) {
    const ends: number[] = [];
    for (const { size } of files) ends.push((ends.at(-1) ?? 0) + size);
    this.files = files;
    this.ends = ends;
    this.size = ends.at(-1) ?? 0;
  }

  /**
   * `count` bytes from `start` on; the caller sees to it that there are as many.
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

  /** The first file that ends after `position`, by halving. */
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
   * What is awaited first goes on first: whoever awaits a handle starts to read before another read, which needs the
   * room, closes it. And a file is closed only when all that was started on it is done.
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

/** Whether it opens at all is told to the one who reads. */
async function close(handle: Promise<FileHandle>): Promise<void> {
  await handle.then((opened) => opened.close()).catch(() => undefined);
}
