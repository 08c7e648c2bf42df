// What an answer under way is doing, and the figures of one that is done, in words.

import {brief, duration, grouped} from './dom.js';

/** @typedef {import('../chat.js').Run} Run */

/** @param {Run} run @returns {{text: string, part: number|null}} `part`: of the prompt, 0 to 1 */
export function describeRun(run) {
  if (run.phase !== 'prompt' || !run.progress) return {text: 'Waiting for the server', part: null};
  const {total, processed, cache, time_ms: ms} = run.progress;
  const fresh = processed - cache;
  const left = fresh > 0 && ms > 1000 ? (total - processed) * ms / fresh / 1000 : null;
  const parts = [`Reading ${grouped(processed)} of ${grouped(total)} tokens`];
  if (cache > 0) parts.push(`${grouped(cache)} known already`);
  if (left !== null && left >= 1) parts.push(`about ${duration(left)} left`);
  return {text: parts.join(' \u00b7 '), part: total > 0 ? Math.min(1, processed / total) : null};
}

/** "Thinking... 12 s". @param {import('../tree.js').Message} message @param {Run|undefined} run */
export function describeThinking(message, run) {
  if (run?.phase === 'thinking') {
    const seconds = (message.reasoningMs + Date.now() - run.begun) / 1000;
    return `Thinking\u2026 ${Math.floor(seconds)} s`;
  }
  return message.reasoningMs ? `Thought for ${duration(message.reasoningMs / 1000)}` : 'Thoughts';
}

/** @param {import('../tree.js').Message} message @returns {string} */
export function describeFigures({figures, finish}) {
  const parts = [];
  if (figures) {
    if (figures.completion) parts.push(`${grouped(figures.completion)} tokens`);
    if (figures.completion > 1 && figures.answerMs > 0) {
      const speed = figures.completion * 1000 / figures.answerMs;
      parts.push(`${speed.toFixed(speed < 100 ? 1 : 0)} tokens/s`);
    }
    const fresh = figures.prompt - figures.cached;
    const read = figures.promptMs > 0 && fresh > 1
        ? `, ${brief(fresh * 1000 / figures.promptMs)} tokens/s` : '';
    if (figures.prompt) {
      parts.push(`prompt ${grouped(figures.prompt)} (${grouped(figures.cached)} cached${read})`);
    }
  }
  if (finish === 'length') parts.push('stopped at the limit of tokens');
  if (finish === 'stopped') parts.push('stopped');
  return parts.join(' \u00b7 ');
}
