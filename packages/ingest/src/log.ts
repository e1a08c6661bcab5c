/** Where the server reports; never receives a key or a token. */
export type Log = (level: 'info' | 'error', message: string, error?: unknown) => void;
