const MAX_COMMANDS = 1_000;

/** The commands of a run that are looked through for those that answered an alert. */
export function commandsRequest(run: string) {
  return { run, limit: MAX_COMMANDS };
}
