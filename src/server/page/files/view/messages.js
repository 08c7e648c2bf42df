// The messages of the branch that is shown: drawn as they grow, scrolled along while the reader is at
// the end.

import {shown, versions} from '../tree.js';
import {announce} from './actions.js';
import {byId} from './dom.js';
import {MessageView} from './message.js';

const NEAR_END = 60;

export class Messages {
  /** @type {Map<string, MessageView>} */
  #views = new Map();
  #conversation = null;
  #timer = 0;
  #cost = 0;

  /** @param {import('../chat.js').Chat} chat */
  constructor(chat) {
    this.chat = chat;
    this.root = byId('messages');
    this.scroller = byId('scroll');
    this.atEnd = true;
    this.scroller.addEventListener('scroll', () => this.#scrolled(), {passive: true});
    new ResizeObserver(() => this.#follow()).observe(this.root);
    new ResizeObserver(() => this.#follow()).observe(this.scroller);
    byId('to-end').addEventListener('click', () => this.toEnd());
    chat.addEventListener('shown', () => this.draw());
    chat.addEventListener('message', (event) => this.#grown(event.detail));
    chat.addEventListener('run', (event) => this.#runChanged(event.detail));
    // The seconds of thinking go on between the words.
    setInterval(() => chat.run?.phase === 'thinking' && this.#schedule(), 500);
  }

  /** @type {import('./message.js').Actions} */
  #actions = {
    edit: (message, text) => this.chat.edit(message, text),
    regenerate: (message) => this.chat.regenerate(message),
    resume: (message) => this.chat.resume(message),
    turn: (message, step) => this.#turn(message, step),
  };

  draw() {
    const {conversation} = this.chat;
    if (conversation !== this.#conversation) {
      this.#conversation = conversation;
      this.#views.clear();
      this.atEnd = true;
    }
    const path = shown(conversation);
    const wanted = path.map((message) => this.#view(message).element);
    for (const child of [...this.root.children]) if (!wanted.includes(child)) child.remove();
    wanted.forEach((element, i) => {
      if (this.root.children[i] !== element) this.root.insertBefore(element, this.root.children[i]);
    });
    byId('welcome').hidden = path.length > 0;
    path.forEach((message) => this.#update(message));
    if (this.chat.run) this.atEnd = true;
    this.#follow();
  }

  #view(message) {
    let view = this.#views.get(message.id);
    if (!view) this.#views.set(message.id, view = new MessageView(message, this.#actions));
    return view;
  }

  #update(message) {
    const {run, conversation} = this.chat;
    this.#view(message).update(run?.message === message ? run : undefined, Boolean(run),
                               versions(conversation, message));
  }

  #grown(message) {
    if (this.chat.run?.message === message) this.#schedule();
  }

  // Drawing takes at most a fifth of the time, however long the answer has become.
  #schedule() {
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      const begun = performance.now();
      if (this.chat.run) this.#update(this.chat.run.message);
      this.#cost = performance.now() - begun;
    }, Math.max(40, 4 * this.#cost));
  }

  #runChanged(run) {
    if (run.conversation !== this.chat.conversation) return;
    const over = this.chat.run !== run;
    if (over) this.draw();
    else this.#update(run.message);
    announce(over ? outcome(run.message) : PHASES[run.phase]);
  }

  #turn(message, step) {
    const all = versions(this.chat.conversation, message);
    const other = all[all.indexOf(message) + step];
    if (!other || this.chat.run) return;
    this.chat.select(other);
    this.#view(other).element.focus();
    announce(`Version ${all.indexOf(other) + 1} of ${all.length}`);
  }

  #scrolled() {
    const {scrollTop, scrollHeight, clientHeight} = this.scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    byId('to-end').hidden = this.atEnd;
  }

  #follow() {
    if (this.atEnd) this.scroller.scrollTop = this.scroller.scrollHeight;
    else this.#scrolled();
  }

  toEnd() {
    this.atEnd = true;
    this.#follow();
    byId('to-end').hidden = true;
  }

  /** The message that has the focus, or else undefined. @returns {MessageView|undefined} */
  get focused() {
    return [...this.#views.values()].find((view) => view.element === document.activeElement);
  }

  /** Moves the focus by `step` messages; from elsewhere to the last one. */
  moveFocus(step) {
    const items = [...this.root.children];
    const at = items.findIndex((item) => item.contains(document.activeElement));
    items[at < 0 ? items.length - 1 : Math.max(0, Math.min(items.length - 1, at + step))]?.focus();
  }

  /** @returns {boolean} whether there is a message to edit */
  editLast() {
    const last = shown(this.chat.conversation).findLast((message) => message.role === 'user');
    if (!last || this.chat.run) return false;
    this.#view(last).startEdit();
    return true;
  }
}

const PHASES = {waiting: 'Waiting for the answer', prompt: 'The prompt is being read',
                thinking: 'Thinking', answering: 'Answering'};

function outcome({content, error}) {
  if (error) return `${error.message} ${error.advice}`;
  return `Answer complete. ${content.slice(0, 1000)}`;
}
