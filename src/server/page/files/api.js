// The server's API as the page uses it.

import {events, request, requestJson} from './server.js';

/**
 * @typedef {object} Server
 * @property {string} model
 * @property {number|null} context tokens that fit
 * @property {boolean} thinking the template can switch thinking on and off
 * @property {boolean} template the model knows conversations
 */

const isCount = (value) => Number.isSafeInteger(value) && value > 0;

/** @returns {Promise<Server>} */
export async function describeServer() {
  const [props, models] = await Promise.all([requestJson('props'), requestJson('v1/models')]);
  const model = models?.data?.[0] ?? {};
  const context = [props?.n_ctx, model.max_model_len].find(isCount) ?? null;
  return {model: String(model.id ?? props?.model ?? 'model'), context,
          thinking: props?.thinking === true, template: props?.chat_template !== false};
}

/** @param {string} text @param {AbortSignal} [signal] @returns {Promise<number>} */
export async function countTokens(text, signal) {
  const answer = await requestJson('tokenize', {content: text}, signal);
  return answer.count ?? answer.tokens.length;
}

/**
 * What a stream brings: text as it comes, progress of the prompt, and figures at the end.
 * @typedef {object} Piece
 * @property {string} [content]
 * @property {string} [reasoning]
 * @property {string} [finish]
 * @property {{total: number, cache: number, processed: number, time_ms: number}} [progress]
 * @property {{prompt: number, completion: number, cached: number}} [usage]
 * @property {{prompt_n: number, prompt_ms: number, predicted_n: number, predicted_ms: number,
 *             cached_n: number}} [timings]
 */

/** @param {any} event @returns {Piece} */
function pieceOf(event) {
  /** @type {Piece} */
  const piece = {progress: event.prompt_progress, timings: event.timings};
  const choice = event.choices?.[0];
  if (choice) {
    piece.content = choice.delta?.content ?? undefined;
    piece.reasoning = choice.delta?.reasoning_content ?? undefined;
    piece.finish = choice.finish_reason ?? undefined;
    // The page offers no tools; a model that calls one anyway is shown doing so.
    for (const call of choice.delta?.tool_calls ?? []) {
      piece.content = (piece.content ?? '') + (call.function?.name ? `\n\n${call.function.name} ` : '')
          + (call.function?.arguments ?? '');
    }
  }
  if (event.usage) {
    piece.usage = {prompt: event.usage.prompt_tokens ?? 0,
                   completion: event.usage.completion_tokens ?? 0,
                   cached: event.usage.prompt_tokens_details?.cached_tokens ?? 0};
  }
  return piece;
}

/**
 * Streams the next message of a conversation.
 * @param {{model: string, messages: any[], resume: boolean, sampling: Record<string, any>,
 *          thinking: boolean|null}} ask `resume`: the last message is the beginning of the answer
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Piece>}
 */
export async function* complete({model, messages, resume, sampling, thinking}, signal) {
  const body = {model, messages, stream: true, stream_options: {include_usage: true},
                return_progress: true, ...sampling};
  if (thinking !== null) body.chat_template_kwargs = {enable_thinking: thinking};
  if (resume) Object.assign(body, {add_generation_prompt: false, continue_final_message: true});
  const response = await request('v1/chat/completions', body, signal);
  for await (const event of events(response)) yield pieceOf(event);
}
