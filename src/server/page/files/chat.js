// What happens when someone sends, stops, edits or asks again: conversations and their answers, apart
// from how they look. Several conversations may be answered at the same time.

import {complete} from './api.js';
import {addMessage, newConversation, pathTo, select, shown, titleFrom, toApi} from './tree.js';

/**
 * @typedef {import('./tree.js').Conversation} Conversation
 * @typedef {import('./tree.js').Message} Message
 *
 * An answer under way.
 * @typedef {object} Run
 * @property {Conversation} conversation
 * @property {Message} message
 * @property {AbortController} abort
 * @property {'waiting'|'prompt'|'thinking'|'answering'} phase
 * @property {import('./api.js').Piece['progress']|null} progress
 * @property {number} begun of the phase, in ms
 * @property {number} saved when, in ms
 */

const SAVE_EVERY_MS = 2000;

/** Events: "shown" (other messages), "message" (detail: one has grown), "run" (detail), "list". */
export class Chat extends EventTarget {
  /** @type {Map<string, Run>} by conversation */
  #runs = new Map();
  /** Conversations that were deleted: what still arrives for them is not stored. */
  #removed = new Set();

  /** @param {import('./store.js').Store} store @param {import('./settings.js').Settings} settings */
  constructor(store, settings) {
    super();
    this.store = store;
    this.settings = settings;
    /** @type {import('./api.js').Server|null} */
    this.server = null;
    this.conversation = newConversation();
  }

  /** The answer under way in the conversation that is shown. @returns {Run|undefined} */
  get run() { return this.#runs.get(this.conversation.id); }

  isRunning(id) { return this.#runs.has(id); }

  #tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }

  startNew() {
    this.conversation = newConversation();
    this.#tell('shown');
  }

  /** @param {string} id */
  async open(id) {
    const found = this.#runs.get(id)?.conversation ?? await this.store.load(id);
    if (!found) return this.startNew();
    this.conversation = found;
    this.#tell('shown');
  }

  /** @param {string} text @param {import('./tree.js').Attachment[]} attachments */
  send(text, attachments) {
    this.#ask(this.conversation.head, text, attachments);
  }

  /** Another version of a message of the user, and an answer to it. @param {Message} message */
  edit(message, text) {
    this.#ask(message.parent, text, message.attachments);
  }

  #ask(parent, content, attachments) {
    if (this.run) return;
    const {conversation} = this;
    const message = addMessage(conversation, parent, {role: 'user', content, attachments,
                                                      finish: 'sent'});
    conversation.title ||= titleFrom(message);
    this.#answer(addMessage(conversation, message.id, {role: 'assistant'}));
  }

  /** Another answer beside `message`; in its place when it is empty. @param {Message} message */
  regenerate(message) {
    if (this.run) return;
    const empty = !message.content && !message.reasoning;
    if (empty) select(this.conversation, message);
    this.#answer(empty ? message
                       : addMessage(this.conversation, message.parent, {role: 'assistant'}));
  }

  /** Takes up an answer where it ended. @param {Message} message */
  resume(message) {
    if (this.run) return;
    select(this.conversation, message);
    this.#answer(message);
  }

  /** Shows another version. @param {Message} message */
  select(message) {
    if (this.run) return;
    select(this.conversation, message);
    this.#save(this.conversation);
    this.#tell('shown');
  }

  stop() {
    this.run?.abort.abort();
  }

  /** @param {string} id */
  async remove(id) {
    this.#removed.add(id);
    this.#runs.get(id)?.abort.abort();
    await this.store.remove(id);
    if (this.conversation.id === id) this.startNew();
    this.#tell('list');
  }

  async rename(id, title) {
    const conversation = id === this.conversation.id ? this.conversation
        : this.#runs.get(id)?.conversation ?? await this.store.load(id);
    if (!conversation) return;
    conversation.title = title;
    await this.#save(conversation);
    if (id === this.conversation.id) this.#tell('shown');
  }

  /** @param {Conversation[]} conversations */
  async add(conversations) {
    for (const conversation of conversations) {
      this.#removed.delete(conversation.id);
      await this.store.save(conversation);
    }
    this.#tell('list');
  }

  /** What is under way is stored as far as it is: the page is about to go. */
  saveAll() {
    for (const run of this.#runs.values()) this.#save(run.conversation);
  }

  async #save(conversation) {
    if (this.#removed.has(conversation.id)) return;
    try {
      await this.store.save(conversation);
      this.#tell('list');
    } catch (error) {
      this.#tell('unsaved', error);
    }
  }

  /** @param {Message} message */
  async #answer(message) {
    const {conversation} = this;
    Object.assign(message, {finish: null, error: null, figures: null});
    conversation.updated = Date.now();
    /** @type {Run} */
    const run = {conversation, message, abort: new AbortController(), phase: 'waiting',
                 progress: null, begun: Date.now(), saved: Date.now()};
    this.#runs.set(conversation.id, run);
    this.#tell('shown');
    this.#tell('run', run);
    this.#save(conversation);
    try {
      for await (const piece of this.#stream(run)) this.#take(run, piece);
    } catch (error) {
      if (!run.abort.signal.aborted) {
        message.error = {message: error.message, advice: error.advice ?? 'Try again.'};
      }
    }
    if (run.abort.signal.aborted) message.finish = 'stopped';
    if (!message.error) message.finish ??= 'stop';
    this.#enter(run, 'answering');
    this.#runs.delete(conversation.id);
    conversation.updated = Date.now();
    this.#tell('message', message);
    this.#tell('run', run);
    this.#save(conversation);
  }

  #stream({conversation, message, abort}) {
    const resume = Boolean(message.content || message.reasoning);
    const path = pathTo(conversation, resume ? message.id : message.parent);
    const thinking = this.server?.thinking && this.settings.thinking
        ? this.settings.thinking === 'on' : null;
    return complete({model: this.server?.model ?? '', resume, thinking,
                     messages: toApi(path, this.settings.system, resume),
                     sampling: this.settings.sampling}, abort.signal);
  }

  /** @param {Run} run @param {import('./api.js').Piece} piece */
  #take(run, piece) {
    const {message} = run;
    if (piece.progress) {
      run.progress = piece.progress;
      this.#enter(run, 'prompt');
    }
    if (piece.reasoning) {
      this.#enter(run, 'thinking');
      message.reasoning += piece.reasoning;
    }
    if (piece.content) {
      this.#enter(run, 'answering');
      message.content += piece.content;
    }
    message.finish = piece.finish ?? message.finish;
    this.#count(message, piece);
    this.#tell('message', message);
    if (Date.now() - run.saved > SAVE_EVERY_MS) {
      run.saved = Date.now();
      this.#save(run.conversation);
    }
  }

  #count(message, {usage, timings}) {
    if (!usage && !timings) return;
    const figures = message.figures ?? {prompt: 0, completion: 0, cached: 0, promptMs: null,
                                        answerMs: null};
    if (usage) Object.assign(figures, usage);
    if (timings) {
      Object.assign(figures, {promptMs: timings.prompt_ms ?? null,
                              answerMs: timings.predicted_ms ?? null});
      if (!usage) figures.completion ||= timings.predicted_n ?? 0;
      figures.cached ||= timings.cached_n ?? 0;
    }
    message.figures = figures;
  }

  /** @param {Run} run @param {Run['phase']} phase */
  #enter(run, phase) {
    if (run.phase === phase) return;
    const now = Date.now();
    if (run.phase === 'thinking') run.message.reasoningMs += now - run.begun;
    run.phase = phase;
    run.begun = now;
    this.#tell('run', run);
  }

  /** Tokens of the shown branch, as far as the server has said. */
  get used() {
    const counted = shown(this.conversation).findLast((message) => message.figures);
    return counted ? counted.figures.prompt + counted.figures.completion : 0;
  }
}
