// Conversations in IndexedDB: "heads" for the list, "bodies" with the messages. Where the browser
// keeps nothing (private windows, full disks) they live until the page is closed.

/** @typedef {import('./tree.js').Conversation} Conversation */
/** @typedef {{id: string, title: string, created: number, updated: number}} Head */

const promised = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

function openDatabase() {
  const request = indexedDB.open('ringlet', 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('heads', {keyPath: 'id'});
    request.result.createObjectStore('bodies', {keyPath: 'id'});
  };
  return promised(request);
}

const headOf = ({id, title, created, updated}) => ({id, title, created, updated});

/** Messages that another tab has added to the stored copy; an answer is never lost to a late save. */
function merged(conversation, stored) {
  const known = new Set(conversation.messages.map((message) => message.id));
  const added = (stored?.messages ?? []).filter((message) => !known.has(message.id));
  return added.length ? {...conversation, messages: [...conversation.messages, ...added]}
                      : conversation;
}

export class Store {
  #database = null;
  /** @type {Map<string, Conversation>} */
  #memory = new Map();
  #channel = new BroadcastChannel('ringlet');

  /** Whether conversations outlive the page. */
  get lasting() { return this.#database !== null; }

  async open() {
    try {
      this.#database = await openDatabase();
    } catch {
      this.#database = null;
    }
  }

  /** Calls back when another tab has changed something. @param {() => void} callback */
  onOtherTab(callback) {
    this.#channel.onmessage = callback;
  }

  #stores(mode) {
    const transaction = this.#database.transaction(['heads', 'bodies'], mode);
    return [transaction.objectStore('heads'), transaction.objectStore('bodies'), transaction];
  }

  /** Newest first. @returns {Promise<Head[]>} */
  async list() {
    const heads = this.#database ? await promised(this.#stores('readonly')[0].getAll())
                                 : [...this.#memory.values()].map(headOf);
    return heads.sort((a, b) => b.updated - a.updated);
  }

  /** @param {string} id @returns {Promise<Conversation|undefined>} */
  async load(id) {
    return this.#database ? promised(this.#stores('readonly')[1].get(id)) : this.#memory.get(id);
  }

  /** @param {Conversation} conversation */
  async save(conversation) {
    if (this.#database) {
      const [heads, bodies, transaction] = this.#stores('readwrite');
      const stored = await promised(bodies.get(conversation.id));
      heads.put(headOf(conversation));
      bodies.put(merged(conversation, stored));
      await finished(transaction);
    } else {
      this.#memory.set(conversation.id, conversation);
    }
    this.#channel.postMessage('changed');
  }

  /** @param {string} id */
  async remove(id) {
    this.#memory.delete(id);
    if (this.#database) {
      const [heads, bodies, transaction] = this.#stores('readwrite');
      heads.delete(id);
      bodies.delete(id);
      await finished(transaction);
    }
    this.#channel.postMessage('changed');
  }

  /** The ids of conversations that contain `text`, in any message. @param {string} text */
  async search(text) {
    const wanted = text.toLowerCase();
    const found = new Set();
    const look = (conversation) => {
      const texts = [conversation.title, ...conversation.messages.map((message) => message.content)];
      if (texts.some((each) => each.toLowerCase().includes(wanted))) found.add(conversation.id);
    };
    if (!this.#database) {
      this.#memory.forEach(look);
      return found;
    }
    const request = this.#stores('readonly')[1].openCursor();
    await new Promise((resolve, reject) => {
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        if (!request.result) return resolve(undefined);
        look(request.result.value);
        request.result.continue();
      };
    });
    return found;
  }
}

const finished = (transaction) => new Promise((resolve, reject) => {
  transaction.oncomplete = () => resolve(undefined);
  transaction.onabort = () => reject(transaction.error);
});
