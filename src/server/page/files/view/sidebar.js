// The column with the list of conversations. On narrow screens it lies over the messages and what is
// hidden cannot be reached with the keyboard.

import {byId} from './dom.js';

const narrow = matchMedia('(max-width: 760px)');

export class Sidebar {
  constructor() {
    this.app = byId('app');
    this.#set(!narrow.matches);
    narrow.addEventListener('change', () => this.#set(!narrow.matches));
    byId('toggle-sidebar').addEventListener('click', () => this.toggle());
    byId('close-sidebar').addEventListener('click', () => this.toggle());
    byId('veil').addEventListener('click', () => this.toggle());
  }

  get open() { return this.app.dataset.sidebar !== 'closed'; }

  #set(open) {
    const over = open && narrow.matches;
    this.app.dataset.sidebar = over ? 'over' : open ? 'beside' : 'closed';
    byId('sidebar').inert = !open;
    document.querySelector('main').inert = over;
    byId('toggle-sidebar').setAttribute('aria-expanded', String(open));
  }

  /** The focus goes where the eyes go. */
  toggle() {
    this.#set(!this.open);
    if (!this.open) byId('toggle-sidebar').focus();
    else (byId('conversations').querySelector('[aria-current]') ?? byId('new')).focus();
  }

  show() {
    if (!this.open) this.#set(true);
  }

  /** A conversation was chosen: on narrow screens the list has done its work. */
  done() {
    if (narrow.matches) this.#set(false);
  }
}
