/** The request header by which the server hands a page the nonce that its inline scripts must carry. */
export const NONCE_HEADER = 'x-nonce';
