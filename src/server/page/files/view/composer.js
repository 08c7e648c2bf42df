// The field at the bottom: text, documents that were attached, send and stop.

import {LONG_PASTE, countDocument, pasted, readDocument} from '../documents.js';
import {announce, toast} from './actions.js';
import {brief, byId, el, icon, iconButton} from './dom.js';

/** @typedef {import('../tree.js').Attachment} Attachment */

export class Composer {
  /** @type {Attachment[]} */
  #attachments = [];

  /** @param {import('../chat.js').Chat} chat @param {() => boolean} editLast */
  constructor(chat, editLast) {
    this.chat = chat;
    this.field = byId('prompt');
    this.editLast = editLast;
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    byId('stop').addEventListener('click', () => {
      chat.stop();
      this.focus();
    });
    byId('attach').addEventListener('click', () => byId('files').click());
    byId('files').addEventListener('change', (event) => {
      this.#attach([...event.target.files]);
      event.target.value = '';
    });
    this.field.addEventListener('input', () => this.#resize());
    this.field.addEventListener('keydown', (event) => this.#key(event));
    this.field.addEventListener('paste', (event) => this.#paste(event));
    this.#setUpDrop();
    chat.addEventListener('run', () => this.#draw());
    chat.addEventListener('shown', () => this.#draw());
    this.#draw();
  }

  focus() { this.field.focus(); }

  #key(event) {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#send();
    } else if (event.key === 'ArrowUp' && !this.field.value && !event.altKey && this.editLast()) {
      event.preventDefault();
    }
  }

  #send() {
    const text = this.field.value.trim();
    if (this.chat.run || (!text && this.#attachments.length === 0)) return;
    const attachments = this.#attachments;
    this.#attachments = [];
    this.field.value = '';
    this.#resize();
    this.#drawAttachments();
    this.chat.send(text, attachments);
  }

  #resize() {
    this.field.style.height = 'auto';
    this.field.style.height = `${Math.min(this.field.scrollHeight, innerHeight * 0.4)}px`;
  }

  #paste(event) {
    const files = [...event.clipboardData.files];
    const text = event.clipboardData.getData('text/plain');
    if (files.length > 0 && !text) {
      event.preventDefault();
      this.#attach(files);
    } else if (text.length > LONG_PASTE) {
      event.preventDefault();
      this.#add(pasted(text));
    }
  }

  #setUpDrop() {
    const main = document.querySelector('main');
    const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
    const show = (visible) => main.classList.toggle('dropping', visible);
    // Anywhere: a file that misses must not replace the page.
    document.addEventListener('dragover', (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      show(true);
    });
    document.addEventListener('dragleave', (event) => event.relatedTarget ?? show(false));
    document.addEventListener('drop', (event) => {
      show(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#attach([...event.dataTransfer.files]);
      this.focus();
    });
  }

  /** @param {File[]} files */
  async #attach(files) {
    for (const file of files) {
      try {
        this.#add(await readDocument(file));
      } catch (error) {
        toast(error.message);
      }
    }
  }

  /** @param {Attachment} document */
  #add(document) {
    this.#attachments.push(document);
    this.#drawAttachments();
    announce(`Attached ${document.name}`);
    countDocument(document).then(() => this.#drawAttachments());
  }

  #drawAttachments() {
    const context = this.chat.server?.context ?? Infinity;
    let room = context - this.chat.used;
    byId('attachments').replaceChildren(...this.#attachments.map((document, i) => {
      room -= document.tokens ?? 0;
      const count = document.tokens === null ? `${brief(document.text.length)} characters`
          : `${brief(document.tokens)} tokens`;
      const remove = () => {
        this.#attachments.splice(i, 1);
        this.#drawAttachments();
        this.focus();
      };
      return el('li', {class: room < 0 ? 'over' : null}, icon('page'),
                el('span', {class: 'name', title: document.name}, document.name),
                el('span', {class: 'count'}, room < 0 ? `${count}, does not fit` : count),
                iconButton('close', `Remove ${document.name}`, remove));
    }));
  }

  #draw() {
    const running = Boolean(this.chat.run);
    const hadFocus = [byId('send'), byId('stop')].includes(document.activeElement);
    byId('send').hidden = running;
    byId('stop').hidden = !running;
    if (hadFocus) this.focus();
  }
}
