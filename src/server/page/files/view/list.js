// The list of conversations: one button each, moved through with the arrow keys.

import {toast} from './actions.js';
import {askTitle} from './dialogs.js';
import {byId, el, iconButton} from './dom.js';

/** @typedef {import('../store.js').Head} Head */

const DAY_MS = 86400000;

/** The group that a conversation is listed under. @param {number} time */
function groupOf(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return 'Today';
  if (time >= midnight - DAY_MS) return 'Yesterday';
  if (time >= midnight - 7 * DAY_MS) return 'Last 7 days';
  return new Date(time).toLocaleDateString(undefined, {year: 'numeric', month: 'long'});
}

export class ConversationList {
  /** @param {import('../chat.js').Chat} chat @param {() => void} opened */
  constructor(chat, opened) {
    this.chat = chat;
    this.opened = opened;
    this.root = byId('conversations');
    this.search = byId('search');
    this.root.addEventListener('keydown', (event) => this.#key(event));
    this.search.addEventListener('input', () => this.draw());
    this.search.addEventListener('keydown', (event) => {
      if (event.key === 'ArrowDown') this.#focusAt(0, event);
    });
    for (const type of ['shown', 'list', 'run']) chat.addEventListener(type, () => this.draw());
  }

  async draw() {
    const turn = this.turn = (this.turn ?? 0) + 1;
    const wanted = this.search.value.trim();
    const [heads, found] = await Promise.all([
      this.chat.store.list(), wanted ? this.chat.store.search(wanted) : null]);
    if (turn !== this.turn) return;  // a later call has overtaken this one
    const list = found ? heads.filter(({id}) => found.has(id)) : heads;
    const focused = this.root.contains(document.activeElement)
        ? document.activeElement.closest('li')?.dataset.id : undefined;
    const items = [];
    let group = '';
    for (const head of list) {
      if (groupOf(head.updated) !== group) {
        items.push(el('li', {class: 'group', role: 'presentation'}, group = groupOf(head.updated)));
      }
      items.push(this.#item(head));
    }
    this.root.replaceChildren(...items);
    const none = byId('no-conversations');
    none.hidden = list.length > 0;
    none.textContent = wanted ? 'Nothing found.' : 'Conversations are kept in this browser.';
    if (focused) this.root.querySelector(`[data-id="${CSS.escape(focused)}"] button`)?.focus();
  }

  /** @param {Head} head */
  #item(head) {
    const current = head.id === this.chat.conversation.id;
    const title = head.title || 'New conversation';
    const open = el('button', {type: 'button', class: 'open', title,
                               'aria-current': current ? 'true' : null,
                               onclick: () => this.#open(head.id)}, title);
    const state = this.chat.isRunning(head.id) && el('span', {class: 'busy', title: 'Answering'});
    return el('li', {'data-id': head.id, class: current ? 'current' : null}, open, state,
              iconButton('edit', `Rename ${title}`, () => this.#rename(head), {tabindex: '-1'}),
              iconButton('trash', `Delete ${title}`, () => this.#remove(head), {tabindex: '-1'}));
  }

  async #open(id) {
    await this.chat.open(id);
    this.opened();
  }

  /** @param {Head} head */
  async #rename({id, title}) {
    const given = await askTitle(title);
    if (given) await this.chat.rename(id, given);
  }

  /** @param {Head} head */
  async #remove({id, title}) {
    const items = this.#buttons();
    const at = items.findIndex((item) => item.closest('li').dataset.id === id);
    const focused = this.root.contains(document.activeElement);
    const kept = await this.chat.store.load(id);
    await this.chat.remove(id);
    await this.draw();
    if (focused) (this.#buttons()[Math.min(at, items.length - 2)] ?? byId('new')).focus();
    toast(`Deleted "${title}"`, kept && {label: 'Undo', act: () => this.chat.add([kept])});
  }

  #buttons() { return [...this.root.querySelectorAll('button.open')]; }

  #focusAt(index, event) {
    const buttons = this.#buttons();
    const button = buttons[Math.min(index, buttons.length - 1)];
    if (!button) return;
    event.preventDefault();
    button.focus();
  }

  #key(event) {
    const at = this.#buttons().indexOf(event.target);
    if (at < 0) return;
    const li = event.target.closest('li');
    const head = {id: li.dataset.id, title: event.target.textContent, created: 0, updated: 0};
    if (event.key === 'ArrowDown') this.#focusAt(at + 1, event);
    else if (event.key === 'ArrowUp' && at === 0) this.search.focus();
    else if (event.key === 'ArrowUp') this.#focusAt(at - 1, event);
    else if (event.key === 'F2') this.#rename(head);
    else if (event.key === 'Delete') this.#remove(head);
  }
}
