/** Once a promise resolves or a signal is aborted, whichever is first. */
export async function until(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  let stop = () => {};
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  signal.addEventListener('abort', stop);
  await Promise.race([promise, aborted]);
  signal.removeEventListener('abort', stop);
}
