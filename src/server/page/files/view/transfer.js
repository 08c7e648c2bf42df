// Conversations to a file and back. A file may come from anywhere: it is rebuilt field by field.

import {newConversation, newId} from '../tree.js';
import {toast} from './actions.js';
import {byId, el} from './dom.js';

const FORMAT = 'ringlet-conversations';
const MAX_BYTES = 256 << 20;

/** @param {import('../chat.js').Chat} chat */
export function setUpTransfer(chat) {
  byId('export').addEventListener('click', () => exportAll(chat));
  byId('import').addEventListener('click', () => byId('import-file').click());
  byId('import-file').addEventListener('change', async (event) => {
    const [file] = event.target.files;
    if (file) await importFile(chat, file);
    event.target.value = '';
  });
}

async function exportAll(chat) {
  const heads = await chat.store.list();
  if (heads.length === 0) return toast('There is nothing to export yet.');
  const conversations = await Promise.all(heads.map(({id}) => chat.store.load(id)));
  const text = JSON.stringify({format: FORMAT, version: 1, conversations}, null, 1);
  const url = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  const day = new Date().toISOString().slice(0, 10);
  el('a', {href: url, download: `ringlet-${day}.json`}).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** @param {import('../chat.js').Chat} chat @param {File} file */
async function importFile(chat, file) {
  try {
    if (file.size > MAX_BYTES) throw new Error('it is too large');
    const content = JSON.parse(await file.text());
    if (content?.format !== FORMAT || !Array.isArray(content.conversations)) {
      throw new Error('it was not exported by this page');
    }
    const conversations = content.conversations.map(readConversation);
    await chat.add(conversations);
    toast(`Imported ${conversations.length} conversation${conversations.length === 1 ? '' : 's'}.`);
  } catch (error) {
    toast(`${file.name} was not imported: ${error.message}.`);
  }
}

const text = (value) => typeof value === 'string' ? value : '';
const number = (value) => Number.isFinite(value) && value >= 0 ? value : null;

/** A conversation with new ids: importing twice gives copies and overwrites nothing. */
export function readConversation(given) {
  if (!Array.isArray(given?.messages)) throw new Error('a conversation without messages');
  const ids = new Map();
  const messages = given.messages.map((message) => {
    const read = readMessage(message, ids);
    ids.set(message.id, read.id);
    return read;
  });
  return {...newConversation(), title: text(given.title).slice(0, 200), messages,
          created: number(given.created) ?? Date.now(), updated: number(given.updated) ?? Date.now(),
          head: ids.get(given.head) ?? messages.at(-1)?.id ?? null};
}

/** Parents stand before their children, which also rules out circles. */
function readMessage(given, ids) {
  if (given?.role !== 'user' && given?.role !== 'assistant') throw new Error('a message without role');
  const {parent, attachments, error} = given;
  if (parent !== null && !ids.has(parent)) throw new Error('a message without parent');
  return {
    id: newId(), parent: parent === null ? null : ids.get(parent), role: given.role,
    content: text(given.content), reasoning: text(given.reasoning),
    reasoningMs: number(given.reasoningMs) ?? 0, finish: text(given.finish) || null,
    attachments: (Array.isArray(attachments) ? attachments : []).map((each) => ({
      name: text(each?.name).slice(0, 200), text: text(each?.text), tokens: number(each?.tokens)})),
    error: error ? {message: text(error.message), advice: text(error.advice)} : null,
    figures: readFigures(given.figures), created: number(given.created) ?? Date.now(),
  };
}

function readFigures(given) {
  if (!given) return null;
  return {prompt: number(given.prompt) ?? 0, completion: number(given.completion) ?? 0,
          cached: number(given.cached) ?? 0, promptMs: number(given.promptMs),
          answerMs: number(given.answerMs)};
}
