// Requests to the server that sent this page: errors as sentences, API key, server-sent events.

const KEY = 'ringlet.key';
// The folder of the page, so that it also works behind a proxy that adds a prefix.
const BASE = new URL('.', document.baseURI);
// A line longer than this is no answer but an attempt to fill the memory.
const MAX_EVENT = 64 << 20;

/** What went wrong, and in `advice` what to do about it. */
export class ServerError extends Error {
  /** @param {string} message @param {string} advice @param {number} [status] 0: no answer */
  constructor(message, advice, status = 0) {
    super(message);
    this.advice = advice;
    this.status = status;
  }
}

const ADVICE = new Map([
  [400, 'Check the settings and the length of the conversation, then try again.'],
  [403, 'The server does not allow this from here.'],
  [404, 'The page may be older than the server: reload it.'],
  [413, 'Attach a shorter document, or start the server with a larger limit.'],
  [429, 'The server is busy with others: try again in a moment.'],
  [500, 'The log of the server says more. Try again.'],
  [503, 'The server is starting or busy: try again in a moment.'],
]);

/** @param {any} body what the server said, perhaps JSON @param {number} status */
function errorFrom(body, status) {
  const error = body?.error ?? body;
  const said = typeof error === 'string' ? error : error?.message;
  const message = typeof said === 'string' && said ? said.slice(0, 2000)
                                                   : `The server answered with status ${status}.`;
  const tooLong = status === 400 && /context|n_ctx|too long|max_model_len/i.test(message);
  const advice = tooLong
      ? 'Start a new conversation, shorten the document, or start the server with a longer context.'
      : ADVICE.get(status) ?? 'Try again.';
  return new ServerError(message, advice, status);
}

/** @type {(refused: boolean) => Promise<string|null>} */
let askKey = async () => null;
/** @type {Promise<string|null>|null} */
let asking = null;

/** How to ask for the API key; `refused` is true after a wrong one. */
export function onKeyWanted(ask) {
  askKey = ask;
}

function storedKey() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

async function wantKey(refused) {
  asking ??= askKey(refused).finally(() => { asking = null; });
  const key = await asking;
  if (key !== null) sessionStorage.setItem(KEY, key);
  return key;
}

/**
 * A response with status 200, after asking for an API key as often as the server wants one.
 * @param {string} path relative to the page
 * @param {any} [body] sent as JSON by POST; without it the request is a GET
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function request(path, body, signal) {
  for (;;) {
    const key = storedKey();
    /** @type {Record<string, string>} */
    const headers = key ? {Authorization: `Bearer ${key}`} : {};
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(new URL(path, BASE), {
        method: body === undefined ? 'GET' : 'POST', headers, signal, cache: 'no-store',
        body: body === undefined ? undefined : JSON.stringify(body)});
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ServerError('The server does not answer.',
                            'Check that "ringlet serve" is still running, then try again.');
    }
    if (response.ok) return response;
    const said = await response.json().catch(() => null);
    if (response.status !== 401) throw errorFrom(said, response.status);
    // Another request may have been given a key meanwhile: that one is tried first.
    if (storedKey() === key && await wantKey(key !== null) === null) {
      throw new ServerError('The server wants an API key.',
                            'Reload the page, or send again, to be asked for it.', 401);
    }
  }
}

/** @param {string} path @param {any} [body] @param {AbortSignal} [signal] */
export async function requestJson(path, body, signal) {
  const response = await request(path, body, signal);
  return response.json().catch(() => {
    throw new ServerError(`The answer to ${path} is not JSON.`, 'Is this the Ringlet server?');
  });
}

/**
 * The objects of a stream of server-sent events, up to `data: [DONE]`.
 * @param {Response} response
 * @returns {AsyncGenerator<any>}
 */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = '';
  try {
    for (;;) {
      const {value, done} = await reader.read().catch((error) => {
        if (error.name === 'AbortError') throw error;
        return {value: undefined, done: true};
      });
      if (done) break;
      buffer += value;
      const lines = buffer.split(/\r?\n/);
      buffer = lines.pop();
      if (buffer.length > MAX_EVENT) break;
      for (const line of lines) {
        if (!line.startsWith('data:')) continue;
        const data = line.slice(5).trim();
        if (data === '[DONE]') return;
        const event = parse(data);
        if (event.error) throw errorFrom(event, event.error.code ?? 500);
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  throw new ServerError('The connection ended before the answer did.',
                        'Continue takes it up where it broke off.');
}

function parse(data) {
  try {
    return JSON.parse(data) ?? {};
  } catch {
    throw new ServerError('The server sent something that is not JSON.', 'Try again.');
  }
}
