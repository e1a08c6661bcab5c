export declare const CLIENTS: readonly string[];
export declare const HOW_TO_INSTALL_CLIENTS: string;
export declare function findClient(requirements: string): string | null;
