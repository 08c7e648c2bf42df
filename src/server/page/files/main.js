// Puts the page together.

import {describeServer} from './api.js';
import {Chat} from './chat.js';
import {setUpMarkdown} from './markdown.js';
import {onKeyWanted} from './server.js';
import {loadSettings, switchTheme} from './settings.js';
import {Store} from './store.js';
import {announce, toast} from './view/actions.js';
import {Composer} from './view/composer.js';
import {askKey, showShortcuts} from './view/dialogs.js';
import {byId} from './view/dom.js';
import {setUpHeader, showNotice, showServer} from './view/header.js';
import {setUpKeyboard} from './view/keyboard.js';
import {ConversationList} from './view/list.js';
import {Messages} from './view/messages.js';
import {setUpSettings} from './view/settings.js';
import {Sidebar} from './view/sidebar.js';
import {setUpTransfer} from './view/transfer.js';

const CURRENT = 'ringlet.current';

async function connect(chat) {
  try {
    chat.server = await describeServer();
    showServer(chat);
  } catch (error) {
    showNotice(`${error.message} ${error.advice ?? ''}`,
               {label: 'Try again', act: () => connect(chat)});
    // A server that is loading its model needs nobody to press a button.
    if (error.status === 503) setTimeout(() => connect(chat), 2000);
  }
}

/** Each tab comes back to its own conversation. */
function rememberCurrent(chat) {
  const remember = () => {
    try {
      sessionStorage.setItem(CURRENT, chat.conversation.id);
    } catch {
      // Forbidden: the next visit begins a new conversation.
    }
  };
  chat.addEventListener('shown', remember);
}

async function restore(chat, store) {
  let id = null;
  try {
    id = sessionStorage.getItem(CURRENT);
  } catch {
    // As above.
  }
  if (id && (await store.list()).some((head) => head.id === id)) return chat.open(id);
  chat.startNew();
}

function commandsOf({chat, composer, list, sidebar}) {
  const theme = () => announce(`Theme: ${switchTheme()}`);
  const startNew = () => {
    sidebar.done();
    chat.startNew();
    composer.focus();
  };
  byId('new').addEventListener('click', startNew);
  byId('theme').addEventListener('click', theme);
  byId('open-shortcuts').addEventListener('click', showShortcuts);
  return {
    KeyN: startNew, KeyL: theme, Slash: () => composer.focus(), Question: showShortcuts,
    KeyC: () => sidebar.toggle(), KeyS: () => byId('open-settings').click(),
    KeyA: () => byId('attach').click(),
    KeyF: () => {
      sidebar.show();
      list.search.focus();
    },
  };
}

async function start() {
  setUpMarkdown();
  onKeyWanted(askKey);
  const store = new Store();
  await store.open();
  const settings = loadSettings();
  const chat = new Chat(store, settings);
  const messages = new Messages(chat);
  const composer = new Composer(chat, () => messages.editLast());
  const sidebar = new Sidebar();
  const list = new ConversationList(chat, () => {
    sidebar.done();
    composer.focus();
  });
  setUpHeader(chat);
  setUpSettings(settings);
  setUpTransfer(chat);
  setUpKeyboard(chat, messages, commandsOf({chat, composer, list, sidebar}));
  rememberCurrent(chat);
  store.onOtherTab(() => list.draw());
  addEventListener('pagehide', () => chat.saveAll());
  await restore(chat, store);
  composer.focus();
  if (!store.lasting) toast('This browser stores nothing: conversations end with this page.');
  await connect(chat);
}

start();
