/**
 * Calls `act` at most once every `milliseconds`: at once when it has been quiet, else at the end of the pause.
 * However often it is asked, the last request is always followed by a call.
 */
export function coalesce(act: () => void, milliseconds: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = false;
  const run = () => {
    asked = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (asked) run();
    }, milliseconds);
    act();
  };
  return () => {
    asked = true;
    if (timer === undefined) run();
  };
}
