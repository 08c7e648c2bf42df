// Documents that are attached: files to text.

import {countTokens} from './api.js';

/** @typedef {import('./tree.js').Attachment} Attachment */

const MAX_BYTES = 32 << 20;
/** Pasted text longer than this becomes a document. */
export const LONG_PASTE = 8000;

/**
 * @param {File} file
 * @returns {Promise<Attachment>} or an Error that says what is wrong with the file
 */
export async function readDocument(file) {
  if (file.size > MAX_BYTES) {
    throw new Error(`${file.name} is larger than ${MAX_BYTES >> 20} MB: attach a part of it.`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  return {name: file.name || 'document', text: decode(bytes, file.name), tokens: null};
}

function decode(bytes, name) {
  const mark = (bytes[0] << 8) | bytes[1];
  const encoding = mark === 0xfffe ? 'utf-16le' : mark === 0xfeff ? 'utf-16be' : 'utf-8';
  try {
    const text = new TextDecoder(encoding, {fatal: true}).decode(bytes);
    if (!text.includes('\0')) return text.replace(/\r\n?/g, '\n');
  } catch {
    // Said below.
  }
  throw new Error(`${name} is not a text document: convert it to UTF-8 text first.`);
}

/** @param {string} text @returns {Attachment} */
export function pasted(text) {
  return {name: 'pasted text', text: text.replace(/\r\n?/g, '\n'), tokens: null};
}

/** Counts the tokens of a document; it stays null when the server cannot tell. */
export async function countDocument(document) {
  document.tokens = await countTokens(document.text).catch(() => null);
}
